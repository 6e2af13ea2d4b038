package redistest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// Reply answers each connection with the reply as soon as it hears something,
// and closes it.
func Reply(t *testing.T, reply string) (addr string) {
	t.Helper()
	return testenv.ServeConnections(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = conn.Write([]byte(reply))
	})
}

// ReplyAfterLogin is Reply for whoever logged in.
func ReplyAfterLogin(t *testing.T, reply string) (addr string) {
	t.Helper()
	return Converse(t, func(string) (string, bool) { return reply, false })
}

// Converse lets everybody log in, as an old Redis without HELLO does, and
// answers every other command as told, until it is told to close the connection.
func Converse(t *testing.T, answer func(command string) (reply string, goOn bool)) (addr string) {
	t.Helper()
	return testenv.ServeConnections(t, func(conn net.Conn) {
		r := bufio.NewReader(conn)
		for {
			words, err := readCommand(r)
			if err != nil {
				return
			}
			command := strings.Join(words, " ")
			reply, goOn := logIn(command), true
			if reply == "" {
				reply, goOn = answer(command)
			}
			if _, err := io.WriteString(conn, reply); err != nil || !goOn {
				return
			}
		}
	})
}

func logIn(command string) (reply string) {
	switch word, _, _ := strings.Cut(command, " "); strings.ToLower(word) {
	case "hello":
		return "-ERR unknown command\r\n"
	case "auth":
		return "+OK\r\n"
	}
	return ""
}

// readCommand reads one command of the protocol.
func readCommand(in *bufio.Reader) (words []string, err error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "*")))
	if err != nil || n < 1 {
		return nil, fmt.Errorf("%q is no command", line)
	}
	words = make([]string, n)
	for i := range words {
		size := 0
		if _, err := fmt.Fscanf(in, "$%d\r\n", &size); err != nil {
			return nil, err
		}
		word := make([]byte, size+2)
		if _, err := io.ReadFull(in, word); err != nil {
			return nil, err
		}
		words[i] = string(word[:size])
	}
	return words, nil
}

// Bulk is a string as the protocol sends it.
func Bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }
