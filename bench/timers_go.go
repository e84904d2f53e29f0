// timers, Go: goroutines that sleep, each for a random time below a second. Variants: "after": a time.AfterFunc each; "cancel": one timer
// is set and stopped, while a thousand others are set.
package main

import (
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	b := read()
	if b.variant == "cancel" {
		for i := 1; i <= 1000; i++ {
			time.AfterFunc(time.Duration(i)*time.Second, func() {})
		}
		timer := time.AfterFunc(time.Hour, func() {})
		timer.Stop()
		b.run(func() uint64 {
			n := uint64(0)
			for i := uint64(0); i < b.tasks; i++ {
				timer.Reset(time.Second + time.Duration(i%1024)*time.Millisecond)
				if timer.Stop() {
					n++
				}
			}
			return n
		})
		return
	}
	b.run(func() uint64 {
		var all sync.WaitGroup
		n := uint64(0)
		all.Add(int(b.tasks))
		for i := uint64(1); i <= b.tasks; i++ {
			duration := time.Duration((i * 0x9e3779b97f4a7c15 >> 32) % uint64(time.Second))
			if b.variant == "after" {
				time.AfterFunc(duration, func() {
					atomic.AddUint64(&n, 1)
					all.Done()
				})
			} else {
				go func() {
					time.Sleep(duration)
					atomic.AddUint64(&n, 1)
					all.Done()
				}()
			}
		}
		all.Wait()
		return n
	})
}
