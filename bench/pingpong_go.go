// ping-pong, Go: two goroutines send a number back and forth through two channels without room.
package main

func main() {
	b := read()
	b.run(func() uint64 {
		ping, pong := make(chan uint64), make(chan uint64)
		received := make(chan uint64)
		player := func(in, out chan uint64, serves bool) {
			n := uint64(0)
			if serves {
				out <- 0
			}
			for value := range in {
				n++
				value++
				if value == b.tasks {
					close(out)
				} else {
					out <- value
				}
				if value >= b.tasks {
					break
				}
			}
			received <- n
		}
		go player(ping, pong, true)
		go player(pong, ping, false)
		return <-received + <-received
	})
}
