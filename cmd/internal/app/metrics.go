package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"quartier/optimizer/problem"
	"quartier/scheduler"
	"quartier/schemas/district"
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
	reg.MustRegister(m.stored, m.refused, m.append, m.plans, m.setpoints, m.solve, m.gap, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), devices{a},
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
