// reuse, Go. Variants: "channel": a goroutine that stays receives each task and answers; "go": a
// new goroutine for every task, which answers. As many tasks are in flight together as there are
// producers.
package main

func main() {
	b := read()
	tasks, answers := make(chan uint64, b.producers), make(chan uint64, b.producers)
	for i := 0; i < b.workers; i++ {
		go func() {
			for task := range tasks {
				answers <- task
			}
		}()
	}
	b.run(func() uint64 {
		sum := uint64(0)
		for left := b.tasks; left > 0; {
			n := uint64(b.producers)
			if n > left {
				n = left
			}
			for i := uint64(0); i < n; i++ {
				if b.variant == "go" {
					go func() { answers <- 1 }()
				} else {
					tasks <- 1
				}
			}
			for i := uint64(0); i < n; i++ {
				sum += <-answers
			}
			left -= n
		}
		return sum
	})
}
