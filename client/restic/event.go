package restic

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"
	"syscall"
	"time"
)

// Event is a line of restic's --json output: a [*Status], [*Summary],
// [*FileError] or [*ExitMessage].
type Event any

// Status is the progress of a backup or a restore. Totals are zero until the scan has found
// something, and always with --no-scan.
type Status struct {
	PercentDone float64 `json:"percent_done"` // 0 to 1
	TotalFiles  uint64  `json:"total_files"`
	TotalBytes  uint64  `json:"total_bytes"`

	FilesDone uint64 `json:"files_done"` // backup
	BytesDone uint64 `json:"bytes_done"` // backup

	FilesRestored uint64 `json:"files_restored"` // restore
	BytesRestored uint64 `json:"bytes_restored"` // restore

	SecondsElapsed   uint64   `json:"seconds_elapsed"`
	SecondsRemaining uint64   `json:"seconds_remaining"`
	CurrentFiles     []string `json:"current_files"`
}

// Summary is the result of a backup or a restore.
type Summary struct {
	FilesNew            uint64  `json:"files_new"`
	FilesChanged        uint64  `json:"files_changed"`
	FilesUnmodified     uint64  `json:"files_unmodified"`
	DataAdded           uint64  `json:"data_added"`        // bytes before compression
	DataAddedPacked     uint64  `json:"data_added_packed"` // bytes as stored; restic 0.16 and newer
	TotalFilesProcessed uint64  `json:"total_files_processed"`
	TotalBytesProcessed uint64  `json:"total_bytes_processed"`
	TotalDuration       float64 `json:"total_duration"` // seconds
	SnapshotID          string  `json:"snapshot_id"`    // short in restic 0.14

	TotalFiles     uint64 `json:"total_files"`     // restore
	FilesRestored  uint64 `json:"files_restored"`  // restore
	TotalBytes     uint64 `json:"total_bytes"`     // restore
	BytesRestored  uint64 `json:"bytes_restored"`  // restore
	SecondsElapsed uint64 `json:"seconds_elapsed"` // restore
}

// Duration returns how long the backup took.
func (s *Summary) Duration() time.Duration {
	return time.Duration(s.TotalDuration * float64(time.Second))
}

// FileError is a file that could not be read or written.
type FileError struct {
	Item    string // the path
	During  string // "scan", "archival", "restore"
	Message string
}

// ExitMessage is the last line of restic 0.17 and newer after a failure.
type ExitMessage struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// ParseEvent parses one line. It returns nil for lines without an event and for events of
// no use here.
func ParseEvent(line []byte) Event {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] != '{' {
		return nil
	}
	var head struct {
		Type string `json:"message_type"`
	}
	if json.Unmarshal(line, &head) != nil {
		return nil
	}
	var event Event
	switch head.Type {
	case "status":
		event = new(Status)
	case "summary":
		event = new(Summary)
	case "exit_error":
		event = new(ExitMessage)
	case "error":
		return parseFileError(line)
	default:
		return nil
	}
	if json.Unmarshal(line, event) != nil {
		return nil
	}
	return event
}

// parseFileError parses an error event. Since restic 0.17 its field "error" is {"message":
// …}; before, it is the JSON form of a Go error.
func parseFileError(line []byte) Event {
	var raw struct {
		Error  json.RawMessage `json:"error"`
		During string          `json:"during"`
		Item   string          `json:"item"`
	}
	if json.Unmarshal(line, &raw) != nil {
		return nil
	}
	var shape struct {
		Message string        `json:"message"`
		Op      string        `json:"Op"`
		Err     syscall.Errno `json:"Err"`
	}
	// Any other form leaves all fields empty.
	_ = json.Unmarshal(raw.Error, &shape)
	message := cmp.Or(shape.Message, "cannot be read")
	if shape.Message == "" && shape.Err != 0 {
		message = shape.Op + ": " + shape.Err.Error()
	}
	// Restic 0.18 repeats the path in the message.
	message = strings.TrimPrefix(message, raw.Item+": ")
	return &FileError{Item: raw.Item, During: raw.During, Message: message}
}

// ShortID returns the first eight digits of a snapshot's ID, as restic prints it.
func ShortID(id string) string { return id[:min(8, len(id))] }
