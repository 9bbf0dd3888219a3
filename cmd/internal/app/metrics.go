package app

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"quartier/cmd/internal/notify"
	"quartier/optimizer/problem"
	"quartier/scheduler"
	"quartier/schemas/district"
	"quartier/schemas/units"
)

// metrics are what a process tells Prometheus beside the console's own; every name begins with quartier_ and ends in its unit.
type metrics struct {
	stored, refused prometheus.Counter
	append          prometheus.Histogram
	plans           *prometheus.CounterVec
	setpoints       *prometheus.CounterVec
	solve           *prometheus.HistogramVec
	gap             *prometheus.GaugeVec
}

func newMetrics(reg *prometheus.Registry, a *App) *metrics {
	m := &metrics{
		stored:  prometheus.NewCounter(prometheus.CounterOpts{Name: "quartier_samples_stored_total", Help: "Samples that the record took."}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "quartier_samples_refused_total", Help: "Samples that the record refused as invalid; they are lost."}),
		append:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "quartier_append_seconds", Help: "Time to give a batch of samples to the record.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14)}),
		plans:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "quartier_plans_total", Help: "Plans by outcome."}, []string{"district", "status"}),
		setpoints: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "quartier_setpoints_total", Help: "Decisions in the ledger by outcome; held are those that a hold or an interval of writes kept back."},
			[]string{"district", "outcome"}),
		solve: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "quartier_plan_seconds", Help: "Time to make a plan.", Buckets: prometheus.ExponentialBuckets(0.01, 2, 12)}, []string{"district"}),
		gap:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "quartier_plan_gap_ratio", Help: "Gap of the last plan between its cost and the bound."}, []string{"district"}),
	}
	reg.MustRegister(m.stored, m.refused, m.append, m.plans, m.setpoints, m.solve, m.gap, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), devices{a}, foreseen{a}, feeds{a}, told{a},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "quartier_memory_rows", Help: "Samples and set-points in memory alone, because the local disk takes none."},
			func() float64 { return float64(a.record.memory.State().Held) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "quartier_memory_dropped_rows_total", Help: "Samples and set-points lost because the disk took none for too long."},
			func() float64 { return float64(a.record.memory.State().Dropped) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "quartier_outbox_rows", Help: "Rows that wait for the database."}, func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			s, err := a.record.Stats(ctx)
			if err != nil {
				return -1
			}
			return float64(s.OutboxRows)
		}))
	return m
}

func (m *metrics) planned(districtID string, sol *problem.Solution, err error, took time.Duration) {
	status := "error"
	if err == nil {
		status = string(sol.Status)
		if sol.Gap != nil {
			m.gap.WithLabelValues(districtID).Set(*sol.Gap)
		}
	}
	m.plans.WithLabelValues(districtID, status).Inc()
	m.solve.WithLabelValues(districtID).Observe(took.Seconds())
}

// decisions counts the decisions that go to the record.
type decisions struct {
	scheduler.Store
	setpoints *prometheus.CounterVec
}

// AppendSetpoints implements scheduler.Store.
func (l decisions) AppendSetpoints(ctx context.Context, sps []district.Setpoint) error {
	for _, sp := range sps {
		l.setpoints.WithLabelValues(sp.District, string(sp.Outcome)).Inc()
	}
	return l.Store.AppendSetpoints(ctx, sps)
}

// foreseen collects how wrong the forecasts of the last weeks were.
type foreseen struct{ a *App }

var (
	// forecastLabels had no device once; of a site as a whole it is empty, which Prometheus takes for none, so that what asked then still finds its series.
	forecastLabels = []string{"district", "site", "device", "quantity", "lead_minutes"}
	// forecastUnits are the units of what is foreseen as the names of figures end.
	forecastUnits = map[units.Unit]string{units.KW: "kilowatts", units.DegC: "celsius", units.EURPerKWh: "euros_per_kilowatthour", units.GramsPerKWh: "grams_per_kilowatthour"}

	forecastError   = byUnit("quartier_forecast_error", "Mean absolute error of the forecasts of the last weeks.")
	persistentError = byUnit("quartier_forecast_persistence_error", "The same of similar days with the present deviation fading.")
	forecastLoss    = byUnit("quartier_forecast_pinball", "Mean pinball loss of the 10th, 50th and 90th percentile.")
	forecastBand    = prometheus.NewDesc("quartier_forecast_coverage_ratio", "Share of the outcomes within the band that is to hold 80 % of them.", forecastLabels, nil)
)

// byUnit describes a figure in each unit of what is foreseen.
func byUnit(name, help string) map[units.Unit]*prometheus.Desc {
	out := map[units.Unit]*prometheus.Desc{}
	for unit, suffix := range forecastUnits {
		out[unit] = prometheus.NewDesc(name+"_"+suffix, help, forecastLabels, nil)
	}
	return out
}

// Describe implements prometheus.Collector.
func (f foreseen) Describe(ch chan<- *prometheus.Desc) {
	for _, x := range []map[units.Unit]*prometheus.Desc{forecastError, persistentError, forecastLoss} {
		for _, desc := range x {
			ch <- desc
		}
	}
	ch <- forecastBand
}

// Collect implements prometheus.Collector.
func (f foreseen) Collect(ch chan<- prometheus.Metric) {
	type key struct {
		site, device, quantity string
		lead                   int
	}
	for id, s := range f.a.schedulers {
		sums := map[key]*district.ForecastError{}
		for _, r := range s.ForecastErrors() {
			k := key{r.Site, r.Device, r.Quantity, r.LeadMinutes}
			if sums[k] == nil {
				sums[k] = &district.ForecastError{}
			}
			sums[k].Add(r)
		}
		for k, e := range sums {
			at, unit := []string{id, k.site, k.device, k.quantity, strconv.Itoa(k.lead)}, district.ForecastUnit(k.quantity)
			tell := func(d *prometheus.Desc, sum float64, n int64) {
				if n > 0 {
					ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, sum/float64(n), at...)
				}
			}
			tell(forecastError[unit], e.Absolute, e.Count)
			tell(persistentError[unit], e.Persistence, e.Count)
			tell(forecastLoss[unit], e.Pinball, e.Banded)
			tell(forecastBand, float64(e.Covered), e.Banded)
		}
	}
}

// devices collects the state of every polled device.
type devices struct{ a *App }

var (
	deviceLabels = []string{"district", "site", "device"}
	deviceUp     = prometheus.NewDesc("quartier_device_up", "1 when the device answers.", deviceLabels, nil)
	deviceReads  = prometheus.NewDesc("quartier_device_reads_total", "Reads of the device.", deviceLabels, nil)
	deviceFails  = prometheus.NewDesc("quartier_device_failures_total", "Reads that failed wholly or in part.", deviceLabels, nil)
	deviceDelay  = prometheus.NewDesc("quartier_device_latency_seconds", "Time of the last read that succeeded.", deviceLabels, nil)
)

// Describe implements prometheus.Collector.
func (d devices) Describe(ch chan<- *prometheus.Desc) {
	for _, x := range []*prometheus.Desc{deviceUp, deviceReads, deviceFails, deviceDelay} {
		ch <- x
	}
}

// Collect implements prometheus.Collector.
func (d devices) Collect(ch chan<- prometheus.Metric) {
	if d.a.poller == nil {
		return
	}
	for _, s := range d.a.poller.Status() {
		up := 0.0
		if s.Online {
			up = 1
		}
		at := []string{s.District, s.Site, s.Device}
		ch <- prometheus.MustNewConstMetric(deviceUp, prometheus.GaugeValue, up, at...)
		ch <- prometheus.MustNewConstMetric(deviceReads, prometheus.CounterValue, float64(s.Reads), at...)
		ch <- prometheus.MustNewConstMetric(deviceFails, prometheus.CounterValue, float64(s.Failures), at...)
		ch <- prometheus.MustNewConstMetric(deviceDelay, prometheus.GaugeValue, s.Latency.Seconds(), at...)
	}
}

// feeds collects the state of every feed.
type feeds struct{ a *App }

var (
	feedLabels    = []string{"feed", "district"}
	feedUp        = prometheus.NewDesc("quartier_feed_up", "1 when the last answer of the source was sound.", feedLabels, nil)
	feedAge       = prometheus.NewDesc("quartier_feed_age_seconds", "Time since the last sound answer of the source.", feedLabels, nil)
	feedPublished = prometheus.NewDesc("quartier_feed_published_seconds", "Time from now to the end of what is published; below zero it is in the past.", feedLabels, nil)
	feedFailures  = prometheus.NewDesc("quartier_feed_failures", "Failures in a row.", feedLabels, nil)
)

// Describe implements prometheus.Collector.
func (f feeds) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{feedUp, feedAge, feedPublished, feedFailures} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (f feeds) Collect(ch chan<- prometheus.Metric) {
	now := f.a.clock.Now()
	for _, s := range f.a.feeds {
		st := s.Status(now)
		for _, d := range s.districts {
			tell := func(desc *prometheus.Desc, v float64) {
				ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, s.id, d.ID)
			}
			up := 0.0
			if st.Failures == 0 && !st.Answered.IsZero() {
				up = 1
			}
			tell(feedUp, up)
			tell(feedFailures, float64(st.Failures))
			if !st.Answered.IsZero() {
				tell(feedAge, now.Sub(st.Answered).Seconds())
			}
			if !st.Until.IsZero() {
				tell(feedPublished, st.Until.Sub(now).Seconds())
			}
		}
	}
}

// told collects how telling people and systems of alarms goes.
type told struct{ a *App }

var (
	toldWaiting  = prometheus.NewDesc("quartier_alarm_notices_waiting", "Changes of alarms that wait to be told.", []string{"to"}, nil)
	toldFailures = prometheus.NewDesc("quartier_alarm_notices_failures", "Failures to tell in a row.", []string{"to"}, nil)
	toldDropped  = prometheus.NewDesc("quartier_alarm_notices_dropped_total", "Changes of alarms that were lost before they were told.", []string{"to"}, nil)
)

// Describe implements prometheus.Collector.
func (t told) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{toldWaiting, toldFailures, toldDropped} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (t told) Collect(ch chan<- prometheus.Metric) {
	if t.a.notifier == nil {
		return
	}
	sums := map[string]notify.Status{} // two web services of one host are one
	for _, s := range t.a.notifier.Status() {
		sum := sums[s.To]
		sums[s.To] = notify.Status{Waiting: sum.Waiting + s.Waiting, Failures: max(sum.Failures, s.Failures), Dropped: sum.Dropped + s.Dropped}
	}
	for to, s := range sums {
		ch <- prometheus.MustNewConstMetric(toldWaiting, prometheus.GaugeValue, float64(s.Waiting), to)
		ch <- prometheus.MustNewConstMetric(toldFailures, prometheus.GaugeValue, float64(s.Failures), to)
		ch <- prometheus.MustNewConstMetric(toldDropped, prometheus.CounterValue, float64(s.Dropped), to)
	}
}
