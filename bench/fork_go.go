// fork, Go: a goroutine per branch, whose result comes through a channel.
package main

import "strings"

const children = 10

func fib(n uint64) uint64 {
	if n < 2 {
		return n
	}
	other := make(chan uint64, 1)
	go func() { other <- fib(n - 1) }()
	sum := fib(n - 2)
	return sum + <-other
}

// The number of forks of fib(n), and fib(n).
func fibForks(n uint64) (uint64, uint64) {
	if n < 2 {
		return 0, n
	}
	var before, forks, valueBefore, value uint64 = 0, 0, 0, 1
	for i := uint64(1); i < n; i++ {
		before, forks = forks, forks+before+1
		valueBefore, value = value, value+valueBefore
	}
	return forks, value
}

func skynet(first, size uint64) uint64 {
	if size == 1 {
		return first
	}
	part := size / children
	sums := make(chan uint64, children)
	for i := uint64(1); i < children; i++ {
		go func(first uint64) { sums <- skynet(first, part) }(first + i*part)
	}
	sum := skynet(first, part)
	for i := 1; i < children; i++ {
		sum += <-sums
	}
	return sum
}

func main() {
	b := read()
	b.run(func() uint64 {
		if strings.HasPrefix(b.variant, "skynet") {
			check(skynet(0, b.tasks) == b.tasks*(b.tasks-1)/2, "the sum is wrong")
			return b.tasks
		}
		var n uint64
		for forks, _ := fibForks(n); forks < b.tasks; forks, _ = fibForks(n) {
			n++
		}
		forks, value := fibForks(n)
		check(fib(n) == value, "the number is wrong")
		return forks
	})
}
