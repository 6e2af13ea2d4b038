package drill

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// The outcomes of a drill.
const (
	Proven        = "proven"         // restored, and nothing contradicts it
	NotRestorable = "not restorable" // the restore failed, or its result is wrong
	NotTried      = "not tried"      // something else prevented the drill
)

// Report is the result of a drill.
type Report struct {
	Outcome     string    `json:"outcome"`
	Module      string    `json:"module_id"`
	UUID        string    `json:"module_uuid"`
	Destination string    `json:"destination"`
	Repository  string    `json:"repository"` // APP/UUID
	Snapshot    string    `json:"snapshot_id"`
	Time        string    `json:"snapshot_time"`
	Started     time.Time `json:"started"`
	Ended       time.Time `json:"ended"`
	// RestoreSeconds is the time of the restore alone.
	RestoreSeconds float64 `json:"restore_seconds"`
	Files          uint64  `json:"files"`
	Bytes          uint64  `json:"bytes"`
	// Compared counts the files that were compared with the source; Changed and Gone count
	// those of the sample that changed or vanished there since.
	Compared int `json:"compared"`
	Changed  int `json:"changed"`
	Gone     int `json:"gone"`
	// Verified is true if the module's own command confirmed the result.
	Verified   bool   `json:"verified"`
	Error      string `json:"error,omitempty"`
	ExitStatus int    `json:"exit_status"`
}

// end completes the report with the outcome.
func (r *Report) end(ctx context.Context, err error) {
	r.Ended = time.Now()
	if err != nil {
		r.ExitStatus, r.Error = exit.CodeOf(ctx, err), err.Error()
	}
	r.Outcome = outcomeOf(exit.Code(r.ExitStatus))
}

// detail says in a line what the proof consists of.
func (r *Report) detail() string {
	parts := []string{fmt.Sprintf("restored in %s", seconds(r.RestoreSeconds))}
	switch {
	case r.Compared > 0:
		parts = append(parts, fmt.Sprintf("%d files like the source", r.Compared))
	default:
		parts = append(parts, "nothing compared")
	}
	if n := r.Changed + r.Gone; n > 0 {
		parts = append(parts, fmt.Sprintf("%d changed since", n))
	}
	if r.Verified {
		parts = append(parts, "verified by the module")
	}
	return strings.Join(parts, ", ")
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(10 * time.Millisecond).String()
}

// tell prints the report.
func (r *Report) tell(sys *host.System) {
	if r.Outcome != Proven {
		return // the error says it
	}
	fmt.Fprintf(sys.Stdout, "%s: snapshot %s of %s is restorable: %d files and directories, %s; %s\n",
		cmp.Or(r.Module, r.Repository), restic.ShortID(r.Snapshot), r.Time, r.Files, host.FormatBytes(r.Bytes), r.detail())
}

// outcomeOf returns the outcome that an exit status stands for.
func outcomeOf(code exit.Code) string {
	switch code {
	case exit.OK:
		return Proven
	case exit.NotRestorable:
		return NotRestorable
	}
	return NotTried
}
