package catalog_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// serve answers each connection with the reply as soon as it hears something,
// and closes it.
func serve(t *testing.T, reply string) (addr string) {
	t.Helper()
	return listen(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = conn.Write([]byte(reply))
	})
}

// serveAfterLogin is serve for whoever logged in.
func serveAfterLogin(t *testing.T, reply string) (addr string) {
	t.Helper()
	return serveCommands(t, func(string) (string, bool) { return reply, false })
}

// serveCommands lets everybody log in, as an old Redis without HELLO does, and
// answers every other command as told, until it is told to close the connection.
func serveCommands(t *testing.T, answer func(command string) (reply string, goOn bool)) (addr string) {
	t.Helper()
	return listen(t, func(conn net.Conn) {
		r := bufio.NewReader(conn)
		for {
			command, err := readCommand(r)
			if err != nil {
				return
			}
			reply, goOn := logIn(command)
			if reply == "" {
				reply, goOn = answer(command)
			}
			if _, err := io.WriteString(conn, reply); err != nil || !goOn {
				return
			}
		}
	})
}

func logIn(command string) (reply string, goOn bool) {
	switch word, _, _ := strings.Cut(command, " "); strings.ToLower(word) {
	case "hello":
		return "-ERR unknown command\r\n", true
	case "auth":
		return "+OK\r\n", true
	}
	return "", true
}

func readCommand(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(strings.TrimSpace(line[1:]))
	if err != nil {
		return "", err
	}
	words := make([]string, n)
	for i := range words {
		size := 0
		if _, err := fmt.Fscanf(r, "$%d\r\n", &size); err != nil {
			return "", err
		}
		word := make([]byte, size+2)
		if _, err := io.ReadFull(r, word); err != nil {
			return "", err
		}
		words[i] = string(word[:size])
	}
	return strings.Join(words, " "), nil
}

func listen(t *testing.T, handle func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				handle(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// subscribed confirms SUBSCRIBE of the two channels.
func subscribed() string {
	var b strings.Builder
	for i, channel := range []string{catalog.ChannelACLChanged, catalog.ChannelDestinationChanged} {
		fmt.Fprintf(&b, "*3\r\n$9\r\nsubscribe\r\n%s:%d\r\n", bulk(channel), i+1)
	}
	return b.String()
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }
