// parked, Go: goroutines that wait for a channel, all at once.
package main

import (
	"fmt"
	"sync"
)

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
