package host

import (
	"fmt"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/internal/secretfile"
)

// textOf decodes what an editor or a shell has saved as a text: UTF-8 with
// or without a byte order mark or, as Windows does it, UTF-16 with one.
// Name is that of the file, for errors.
func textOf(name string, data []byte) (string, error) {
	text, err := secretfile.Decode(data)
	if err != nil {
		return "", exit.Failf(exit.Usage, "%s %w", NameOfInput(name), err)
	}
	return text, nil
}

// NameOfInput is how messages call a file that flags name.
func NameOfInput(name string) string {
	if name == "-" {
		return "what came on stdin"
	}
	return fmt.Sprintf("the file %s", name)
}
