// latency, Go: the pace and the percentiles of latency.c. Variants: "channel": goroutines that stay
// receive tasks from a buffered channel; "go": a new goroutine for every task. The producer is a
// goroutine that watches the clock, with a processor besides those of the workers.
package main

import (
	"fmt"
	"runtime"
	"sort"
	"sync/atomic"
	"time"
)

const period = 100 * time.Microsecond

func main() {
	b := read()
	runtime.GOMAXPROCS(b.workers + 1)
	submitted, waited := make([]time.Time, b.tasks), make([]time.Duration, b.tasks)
	var started uint64
	task := func(i uint64) {
		waited[i] = time.Since(submitted[i])
		atomic.AddUint64(&started, 1)
	}
	tasks := make(chan uint64, 1024)
	for i := 0; i < b.workers; i++ {
		go func() {
			for i := range tasks {
				task(i)
			}
		}()
	}
	round := func(n uint64) {
		atomic.StoreUint64(&started, 0)
		due := time.Now()
		for i := uint64(0); i < n; i++ {
			due = due.Add(period)
			for time.Now().Before(due) {
			}
			if time.Since(due) > period {
				due = time.Now()
			}
			submitted[i] = time.Now()
			if b.variant == "go" {
				go task(i)
			} else {
				tasks <- i
			}
		}
		for atomic.LoadUint64(&started) < n {
			time.Sleep(50 * time.Microsecond)
		}
	}
	round(b.tasks/10 + 1)
	for i := range waited {
		waited[i] = 0
	}
	cpuStart, start := cpuTime(), time.Now()
	round(b.tasks)
	took, cpu := time.Since(start), cpuTime()-cpuStart
	sort.Slice(waited, func(i, j int) bool { return waited[i] < waited[j] })
	check(started == b.tasks && waited[0] > 0, "not every task ran once")
	us := func(share float64) float64 {
		i := uint64(float64(b.tasks) * share)
		if i >= b.tasks {
			i = b.tasks - 1
		}
		return float64(waited[i]) / 1000
	}
	fmt.Printf("p50_us=%.2f p99_us=%.2f p999_us=%.2f max_us=%.2f cpu_percent=%.1f tasks=%d workers=%d\n",
		us(0.5), us(0.99), us(0.999), us(1), 100*float64(cpu)/float64(took), b.tasks, b.workers)
}
