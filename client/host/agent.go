package host

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// Agent speaks to the NS8 agent that runs us, over the file descriptor that
// AGENT_COMFD names. Rows are CSV with a space as separator, quoted only where
// needed, and end in CR LF.
type Agent struct{ W io.Writer }

// Agent returns the channel to the agent: the descriptor of AGENT_COMFD, or stderr
// where a task of the agent has none. Without an agent nobody is told: its rows
// mean nothing to people.
func (s *System) Agent() Agent {
	s.agentOnce.Do(func() { s.agentWriter = s.openAgent() })
	return Agent{s.agentWriter}
}

// openAgent opens what lives as long as the process.
func (s *System) openAgent() io.Writer {
	text, _ := s.Env.Lookup("AGENT_COMFD")
	if fd, err := strconv.ParseUint(text, 10, 31); err == nil && fd > 2 {
		return os.NewFile(uintptr(fd), "AGENT_COMFD")
	}
	if text == "" && s.Env.TaskID() == "" {
		// A file, so that the steps that a restore runs inherit it.
		if nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
			return nowhere
		}
	}
	return s.Stderr
}

// SetProgress says how much of the task is done, in percent.
func (a Agent) SetProgress(percent int) { a.row("set-progress", strconv.Itoa(percent)) }

// SetWeight says what part of the task a step is.
func (a Agent) SetWeight(step string, weight int) {
	a.row("set-weight", step, strconv.Itoa(weight))
}

// SetStatus sets the task's status, such as "validation-failed".
func (a Agent) SetStatus(status string) { a.row("set-status", status) }

// row writes one row. An agent that no longer listens is no reason to fail.
func (a Agent) row(fields ...string) {
	for i, field := range fields {
		fields[i] = quoteField(field)
	}
	_, _ = fmt.Fprintf(a.W, "%s\r\n", strings.Join(fields, " "))
}

func quoteField(field string) string {
	if field != "" && !strings.ContainsAny(field, " \"\r\n") {
		return field
	}
	return `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
}
