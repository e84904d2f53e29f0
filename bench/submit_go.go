// submit, Go. Variants: "channel": goroutines that stay receive tasks from one buffered channel of
// 65536, our pool's capacity; "go": a new goroutine for every task.
package main

import "sync"

// Counts what one goroutine ran, on a cache line of its own.
type lane struct {
	n uint64
	_ [120]byte
}

func byChannel(b bench) func() uint64 {
	tasks := make(chan uint64, 65536)
	lanes := make([]lane, b.workers)
	var waiting sync.WaitGroup // of workers: each is told to report by a task of 0
	for i := range lanes {
		go func(own *lane) {
			for task := range tasks {
				if task == 0 {
					waiting.Done()
					waiting.Wait()
				} else {
					own.n++
				}
			}
		}(&lanes[i])
	}
	before := uint64(0)
	return func() uint64 {
		waiting.Add(b.workers)
		b.produce(func(n uint64) {
			for i := uint64(0); i < n; i++ {
				tasks <- 1
			}
		})
		for range lanes {
			tasks <- 0
		}
		waiting.Wait()
		sum := uint64(0)
		for i := range lanes {
			sum += lanes[i].n
		}
		n := sum - before
		before = sum
		return n
	}
}

func byGoroutine(b bench) func() uint64 {
	return func() uint64 {
		var running sync.WaitGroup // counts the tasks as well: below zero it panics, above it waits
		b.produce(func(n uint64) {
			running.Add(int(n))
			for i := uint64(0); i < n; i++ {
				go running.Done()
			}
		})
		running.Wait()
		return b.tasks
	}
}

func main() {
	b := read()
	if b.variant == "go" {
		b.run(byGoroutine(b))
	} else {
		b.run(byChannel(b))
	}
}
