package redistest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
)

// StartVersion5 runs what answers as a Redis of version 5 does, which knew no
// users, to all that it does not know; the real one is in no distribution any
// more. It returns its address. With a password it wants AUTH first.
func StartVersion5(tb testing.TB, password string) (addr string) {
	tb.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ServeVersion5(tb, listener, password)
	return listener.Addr().String()
}

// ServeVersion5 does the same on a listener, which it closes when the test ends.
func ServeVersion5(tb testing.TB, listener net.Listener, password string) {
	tb.Helper()
	tb.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveVersion5(tb.Context(), conn, password)
		}
	}()
}

func serveVersion5(ctx context.Context, conn net.Conn, password string) {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	open := password == ""
	for {
		words, err := readCommand(in)
		if err != nil {
			return
		}
		var reply string
		switch name := strings.ToUpper(words[0]); {
		case name == "AUTH" && len(words) != 2:
			reply = "-ERR wrong number of arguments for 'auth' command"
		case name == "AUTH" && password == "":
			reply = "-ERR Client sent AUTH, but no password is set"
		case name == "AUTH" && words[1] != password:
			reply = "-ERR invalid password"
		case name == "AUTH":
			open, reply = true, "+OK"
		case !open:
			reply = "-NOAUTH Authentication required."
		case name == "PING":
			reply = "+PONG"
		case name == "SELECT" || name == "CLIENT":
			reply = "+OK"
		case name == "INFO":
			const info = "# Server\r\nredis_version:5.0.14\r\n"
			reply = fmt.Sprintf("$%d\r\n%s", len(info), info)
		default:
			reply = "-ERR unknown command `" + words[0] + "`, with args beginning with: "
		}
		if _, err := conn.Write([]byte(reply + "\r\n")); err != nil {
			return
		}
	}
}
