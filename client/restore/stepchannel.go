package restore

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"io"
	"os"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// stepDescriptor is the descriptor of a step's channel to the agent. NethServer 8's agent
// passes 3 to each step of an action, whatever descriptor it uses itself.
const stepDescriptor = "3"

// channelEnd marks the end of a step's output. Steps write no NUL bytes.
const channelEnd = "\x00"

// stepChannel is the pipe from a step to the agent.
type stepChannel struct {
	// write is the step's end.
	write *os.File
	read  *os.File
	ended chan struct{}
	// invalid reports whether the step refused the request with set-status
	// validation-failed.
	invalid bool
}

// openStepChannel opens a channel whose rows are passed on to the agent.
func openStepChannel(to host.Agent) (*stepChannel, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c := &stepChannel{write: write, read: read, ended: make(chan struct{})}
	go c.pass(to)
	return c, nil
}

// pass passes on the rows before the end mark. It keeps reading and discards what a process
// that outlives its step writes, so that the process does not block.
func (c *stepChannel) pass(to host.Agent) {
	lines := bufio.NewReader(c.read)
	for {
		line, err := lines.ReadBytes('\n')
		text, _, marked := bytes.Cut(line, []byte(channelEnd))
		c.row(to, strings.TrimRight(string(text), "\r\n"))
		if marked || err != nil {
			break
		}
	}
	close(c.ended)
	_, _ = io.Copy(io.Discard, lines)
	_ = c.read.Close()
}

// row passes on one row unchanged, and notes a refusal of the request.
func (c *stepChannel) row(to host.Agent, line string) {
	if line == "" {
		return
	}
	rows := csv.NewReader(strings.NewReader(line))
	rows.Comma = ' '
	if fields, err := rows.Read(); err == nil && len(fields) > 1 && fields[0] == "set-status" && fields[1] == "validation-failed" {
		c.invalid = true
	}
	_, _ = io.WriteString(to.W, line+"\r\n")
}

// close returns when all rows that the step wrote before it ended have been passed on. It
// does not wait for processes that the step left behind.
func (c *stepChannel) close() {
	_, _ = io.WriteString(c.write, channelEnd+"\n")
	<-c.ended
	_ = c.write.Close()
}
