package client

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
)

// newPassword makes a password, of repositories or of a user: 64 hex digits.
func newPassword() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// readFile reads a file, or stdin for "-".
func (s *system) readFile(name string) (string, error) {
	const limit = 64 << 20
	in := s.stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return "", withCode(exitUsage, err)
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, limit))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return string(data), nil
}

// readText reads a text, or stdin for "-".
func (s *system) readText(name string) (string, error) {
	data, err := s.readFile(name)
	if err != nil {
		return "", err
	}
	return textOf(name, []byte(data))
}

// readSecret reads a secret of one line.
func (s *system) readSecret(name string) (string, error) {
	text, err := s.readText(name)
	return strings.TrimRight(text, "\r\n"), err
}

// secretFrom reads a secret of one line from a file; "-" is stdin, where somebody
// at a terminal is asked.
func (s *system) secretFrom(ctx context.Context, file, what string) (string, error) {
	if p := s.prompter(); p != nil && file == "-" {
		return p.askSecret(ctx, what)
	}
	return s.readSecret(file)
}
