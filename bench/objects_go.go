// objects, Go: goroutines take one of two objects out of a channel, which holds those that are idle, use it, and put it back.
package main

const objectSteps = 15

type object struct{ uses, value uint64 }

func main() {
	b := read()
	b.run(func() uint64 {
		idle := make(chan *object, 2)
		for i := 0; i < cap(idle); i++ {
			idle <- new(object)
		}
		b.produce(func(n uint64) {
			for i := uint64(0); i < n; i++ {
				o := <-idle
				for step := 0; step < objectSteps; step++ {
					o.value = o.value*6364136223846793005 + 1442695040888963407
				}
				o.uses++
				idle <- o
			}
		})
		return (<-idle).uses + (<-idle).uses
	})
}
