package audit

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
)

// maxTail bounds what is read of a file for its last events, in bytes.
const maxTail = 1 << 20

// Tail returns the last events of a log, newest first, without verification. It skips
// malformed lines.
func Tail(path string, most int) ([]Event, error) {
	files, err := full(path)
	if err != nil {
		return nil, err
	}
	events := []Event{}
	for _, name := range slices.Backward(append(files, path)) {
		content, err := lastBytes(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		lines := bytes.Split(content, []byte{'\n'})
		for _, content := range slices.Backward(lines) {
			if len(events) == most {
				return events, nil
			}
			if read, err := decode(content); err == nil {
				events = append(events, read.Event)
			}
		}
		if len(content) >= maxTail {
			break
		}
	}
	return events, nil
}

// lastBytes reads the end of a file, possibly starting within a line.
func lastBytes(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	content := make([]byte, min(info.Size(), maxTail))
	_, err = file.ReadAt(content, info.Size()-int64(len(content)))
	return content, err
}
