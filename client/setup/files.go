package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
)

// writeFile writes a file, unless it has that content already.
func writeFile(path, text string, mode fs.FileMode) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, []byte(text)) {
		return nil
	}
	if err := atomicfile.Write(path, []byte(text), mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// keepPassword generates a password, unless the file has one.
func keepPassword(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return writeFile(path, host.NewPassword()+"\n", 0o600)
}

// addLines appends missing variables to a file of variables.
func addLines(path string, lines []string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read what node add wrote: %w", err)
	}
	text, vars := string(old), envfile.Parse(old)
	for _, line := range lines {
		if name, _, _ := strings.Cut(line, "="); vars[name] == "" {
			text += line + "\n"
		}
	}
	return writeFile(path, text, 0o600)
}
