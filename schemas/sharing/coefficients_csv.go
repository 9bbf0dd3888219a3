package sharing

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"time"
)

// CoefficientsCSV writes the coefficients that the organiser sends for a month, one line for a step:
//
//	start,2130…01,2130…02
//	2026-03-01T00:00:00+01:00,0.25,0.75
//
// The first column is the beginning of the step in local time with its offset from UTC, so that the two hours of a day in October are told apart; the others are the consumers by
// id, in the operation the numbers of their delivery points. By the full dynamic key a step has a line for each producer, which the second column, producer, names. Coefficients
// are decimals with a point.
//
// The network operator's own layout of this file is agreed in the convention of the operation and is not public; these columns hold all that it asks for by the rules:
// a coefficient for each delivery point and step, of all production or of one producer, at most 1 together.
func (o *Operation) CoefficientsCSV(out io.Writer, start time.Time, zone *time.Location) error {
	if o.Key != Coefficients && o.Key != FullDynamic {
		return fmt.Errorf("sharing: the key %q has no coefficients to send", o.Key)
	}
	buffered := bufio.NewWriter(out)
	w := csv.NewWriter(buffered)
	row := []string{"start"}
	if o.Key == FullDynamic {
		row = append(row, "producer")
	}
	for i := range o.Consumers {
		row = append(row, o.Consumers[i].ID)
	}
	if err := w.Write(row); err != nil {
		return err
	}
	for k := range o.Steps() {
		at := start.Add(time.Duration(k*o.StepMinutes) * time.Minute).In(zone).Format(time.RFC3339)
		if o.Key == Coefficients {
			if err := w.Write(coefficientRow(append(row[:0], at), o.Coefficients, k)); err != nil {
				return err
			}
			continue
		}
		for p := range o.Producers {
			if err := w.Write(coefficientRow(append(row[:0], at, o.Producers[p].ID), o.Pairs[p], k)); err != nil {
				return err
			}
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	return buffered.Flush()
}

func coefficientRow(row []string, of [][]Coefficient, k int) []string {
	for i := range of {
		row = append(row, of[i][k].String())
	}
	return row
}
