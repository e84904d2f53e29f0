// spawn, Go: one goroutine starts all children as goroutines and waits for them.
package main

import "sync"

func main() {
	b := read()
	b.run(func() uint64 {
		parent := make(chan bool)
		go func() {
			var children sync.WaitGroup // counts the tasks as well: below zero it panics, above it waits
			children.Add(int(b.tasks))
			for i := uint64(0); i < b.tasks; i++ {
				go children.Done()
			}
			children.Wait()
			parent <- true
		}()
		<-parent
		return b.tasks
	})
}
