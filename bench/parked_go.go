// parked, Go: goroutines that wait for a channel, all at once.
package main

import (
	"bufio"
	"fmt"
	"os"
	"sync"
)

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

func main() {
	b := read()
	wake, before := make(chan struct{}), memory()
	var parked, woken sync.WaitGroup
	parked.Add(int(b.tasks))
	woken.Add(int(b.tasks))
	for i := uint64(0); i < b.tasks; i++ {
		go func() {
			parked.Done()
			<-wake
			woken.Done()
		}()
	}
	parked.Wait()
	fmt.Printf("bytes=%d coroutines=%d\n", (memory()-before)/b.tasks, b.tasks)
	close(wake)
	woken.Wait()
}
