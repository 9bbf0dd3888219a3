//go:build !race

package optimizer_test

const raced = false
