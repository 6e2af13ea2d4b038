package host

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
)

// NewPassword makes a password, of repositories or of a user: 64 hex digits.
func NewPassword() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// ReadFile reads a file, or stdin for "-".
func (s *System) ReadFile(name string) (string, error) {
	const limit = 64 << 20
	in := s.Stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return "", exit.With(exit.Usage, err)
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

// ReadText reads a text, or stdin for "-".
func (s *System) ReadText(name string) (string, error) {
	data, err := s.ReadFile(name)
	if err != nil {
		return "", err
	}
	return textOf(name, []byte(data))
}

// ReadSecret reads a secret of one line.
func (s *System) ReadSecret(name string) (string, error) {
	text, err := s.ReadText(name)
	return strings.TrimRight(text, "\r\n"), err
}

// SecretFrom reads a secret of one line from a file; "-" is stdin, where somebody
// at a terminal is asked.
func (s *System) SecretFrom(ctx context.Context, file, what string) (string, error) {
	if p := s.Prompter(); p != nil && file == "-" {
		return p.AskSecret(ctx, what)
	}
	return s.ReadSecret(file)
}
