//go:build race

package optimizer_test

// raced tells that the race detector slows everything down: campaigns are shorter then, and run whole without it.
const raced = true
