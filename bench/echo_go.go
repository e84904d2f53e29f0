// echo, Go: a goroutine for each connection.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

func serve(peer net.Conn) {
	bytes := make([]byte, 512)
	for {
		n, err := peer.Read(bytes)
		if err != nil {
			break
		}
		_, err = peer.Write(bytes[:n])
		check(err == nil, "an answer was not sent")
	}
	peer.Close()
}

func main() {
	b := read()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err == nil, "no socket that listens")
	go func() {
		for {
			peer, err := listener.Accept()
			check(err == nil, "a connection was refused")
			go serve(peer)
		}
	}()
	port := listener.Addr().(*net.TCPAddr).Port
	connections := uint64(50)
	if b.variant == "idle" {
		connections = b.tasks
	}
	client := exec.Command(filepath.Join(filepath.Dir(os.Args[0]), "echo_client"), strconv.Itoa(port), strconv.FormatUint(connections, 10))
	to, _ := client.StdinPipe()
	from, _ := client.StdoutPipe()
	before := memory()
	check(client.Start() == nil, "the client does not start")
	answers := bufio.NewReader(from)
	round := func() uint64 {
		var n uint64
		fmt.Fprintln(to, b.tasks)
		fmt.Fscan(answers, &n)
		return n
	}
	if b.variant == "idle" {
		check(round() == b.tasks, "not every connection was heard")
		fmt.Printf("bytes=%d connections=%d\n", (memory()-before)/b.tasks, b.tasks)
	} else {
		b.run(round)
	}
}
