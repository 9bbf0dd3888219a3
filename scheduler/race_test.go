//go:build race

package scheduler

const raced = true // the race detector is on
