//go:build !race

package scheduler

const raced = false // the race detector is off
