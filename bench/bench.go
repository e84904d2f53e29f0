// What the Go programs share: arguments, the two rounds, the report, as bench.h has them for C.
// GOMAXPROCS is the number of workers: producers are goroutines on the same processors.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

type bench struct {
	tasks     uint64
	workers   int
	producers int
	variant   string
}

func check(ok bool, what string) {
	if !ok {
		fmt.Fprintln(os.Stderr, "bench:", what)
		os.Exit(2)
	}
}

func number(i int, otherwise uint64) uint64 {
	if i >= len(os.Args) {
		return otherwise
	}
	value, err := strconv.ParseUint(os.Args[i], 10, 32)
	check(err == nil && value >= 1, "usage: PROGRAM [TASKS [WORKERS [PRODUCERS [VARIANT]]]]")
	return value
}

func read() bench {
	b := bench{number(1, 1000000), int(number(2, 2)), int(number(3, 1)), ""}
	if len(os.Args) > 4 {
		b.variant = os.Args[4]
	}
	runtime.GOMAXPROCS(b.workers)
	return b
}

// The processor time of all threads of the process.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// Does the round twice and prints what the second took; round returns how many tasks were done.
func (b bench) run(round func() uint64) {
	var took, cpu time.Duration
	for i := 0; i < 2; i++ {
		cpuStart, start := cpuTime(), time.Now()
		n := round()
		took, cpu = time.Since(start), cpuTime()-cpuStart
		check(n == b.tasks, "not every task was done")
	}
	n := float64(b.tasks)
	fmt.Printf("ns_per_task=%.2f cpu_ns_per_task=%.2f tasks=%d workers=%d producers=%d\n",
		float64(took)/n, float64(cpu)/n, b.tasks, b.workers, b.producers)
}

// Shares the tasks out among the producers, each a goroutine, and waits for all.
func (b bench) produce(produce func(n uint64)) {
	done := make(chan bool)
	for i := 0; i < b.producers; i++ {
		n := b.tasks / uint64(b.producers)
		if uint64(i) < b.tasks%uint64(b.producers) {
			n++
		}
		go func() {
			produce(n)
			done <- true
		}()
	}
	for i := 0; i < b.producers; i++ {
		<-done
	}
}

// Resident memory of the process, and its page tables.
func memory() uint64 {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		panic(err)
	}
	defer file.Close()
	sum := uint64(0)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var kib uint64
		if n, _ := fmt.Sscanf(lines.Text(), "VmRSS: %d", &kib); n == 1 {
			sum += kib
		}
		if n, _ := fmt.Sscanf(lines.Text(), "VmPTE: %d", &kib); n == 1 {
			sum += kib
		}
	}
	return sum << 10
}
