// lock, Go: a sync.Mutex, entered by goroutines that share as many processors as there are workers.
package main

import "sync"

// The section of lock.h.
const sectionSteps = 15

func main() {
	b := read()
	var mutex sync.Mutex
	entered, value := uint64(0), uint64(1)
	b.run(func() uint64 {
		entered = 0
		b.produce(func(n uint64) {
			for i := uint64(0); i < n; i++ {
				mutex.Lock()
				v := value
				for step := 0; step < sectionSteps; step++ {
					v = v*6364136223846793005 + 1442695040888963407
				}
				value = v
				entered++
				mutex.Unlock()
			}
		})
		return entered
	})
}
