package restic

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// Reason is why restic failed.
type Reason uint8

// The reasons. Unknown covers all others.
const (
	Unknown Reason = iota
	// Incomplete means that the snapshot was made, but some files could not be read.
	Incomplete
	// NoRepository means that the repository does not exist, or that restic could not find
	// out.
	NoRepository
	Locked
	WrongKey
	// Unreachable means that the gateway, or the destination behind it, does not answer.
	Unreachable
	// Full means that a quota is exceeded or the storage is full.
	Full
	// Forbidden means that the gateway refused the credentials or the path.
	Forbidden
	// NoRuntime means that podman or restic could not be started at all.
	NoRuntime
)

// Failure is the error of a run of restic with an exit status other than zero.
type Failure struct {
	Reason Reason
	// Code is the exit status; −1 after a signal.
	Code int
	// Detail is the end of the output of restic, or podman, on stderr.
	Detail string
	// LockRefused means that the storage refused to store restic's lock. It does not mean a
	// lock that another process holds.
	LockRefused bool
}

// Killed reports whether a signal ended restic or podman, so that a lock may be left in the
// repository.
func (f *Failure) Killed() bool { return f.Code == -1 || f.Code == 128+int(syscall.SIGKILL) }

func (f *Failure) Error() string {
	if f.Killed() {
		return strings.TrimSuffix("restic was killed: "+f.Detail, ": ")
	}
	if f.Detail == "" {
		return fmt.Sprintf("restic ended with exit status %d", f.Code)
	}
	return fmt.Sprintf("restic ended with exit status %d: %s", f.Code, f.Detail)
}

// podmanFailed to podmanNotFound are the exit statuses of podman run when it cannot run the
// command in the container.
const (
	podmanFailed   = 125
	podmanNotFound = 127
)

// exitReasons are restic's own exit statuses: since 0.17, and 3 in all versions.
var exitReasons = map[int]Reason{3: Incomplete, 10: NoRepository, 11: Locked, 12: WrongKey}

var fullStorage = regexp.MustCompile(`\(507\)|\b507 |Insufficient Storage|no space left on device|disk quota exceeded`)

// retrying matches the lines with which restic announces a retry.
var retrying = regexp.MustCompile(`^Save\(.* returned error, retrying after `)

var (
	// savingLock matches a failed attempt to store the lock.
	savingLock = regexp.MustCompile(`^Save\(<lock/`)
	// noLock matches the final failure to get a lock: at the start, or when a long run must
	// renew it.
	noLock = regexp.MustCompile(`unable to create lock in backend|failed to refresh lock in time`)
)

// patience decides when to end a run that keeps retrying.
type patience struct {
	lockTries int // see [Invocation.LockTries]
	locksLost int
}

// hopeless returns a failure if the line announces a retry that cannot succeed, or one too
// many.
func (p *patience) hopeless(line []byte) *Failure {
	if !retrying.Match(line) {
		return nil
	}
	failure := &Failure{Code: 1, Detail: string(line), LockRefused: savingLock.Match(line)}
	if fullStorage.Match(line) {
		failure.Reason = Full
		return failure
	}
	if failure.LockRefused {
		p.locksLost++
	}
	if p.lockTries == 0 || p.locksLost < p.lockTries {
		return nil
	}
	failure.Reason = reasonOf(string(line))
	return failure
}

// textReasons recognize failures by their message: before 0.17, and for exit status 1. The
// first match counts.
var textReasons = []struct {
	pattern *regexp.Regexp
	reason  Reason
}{
	{regexp.MustCompile(`repository is already locked|unable to create lock in backend.*locked`), Locked},
	{regexp.MustCompile(`wrong password or no key found`), WrongKey},
	{fullStorage, Full},
	{regexp.MustCompile(`\((401|403)\)|\b(401 Unauthorized|403 Forbidden)\b`), Forbidden},
	{regexp.MustCompile(`connection refused|no such host|no route to host|network is unreachable|i/o timeout|connection reset|\((429|502|503|504|508)\)|\b(502 Bad Gateway|503 Service Unavailable|504 Gateway Timeout|508 Loop Detected)\b`), Unreachable},
	{regexp.MustCompile(`Is there a repository at|config.*does not exist`), NoRepository},
}

// classify finds the reason for a non-zero exit status.
func classify(runtime Runtime, code int, stderr string) *Failure {
	failure := &Failure{Code: code, Detail: readable(stderr)}
	if failure.Killed() {
		return failure // what it printed before is not the reason
	}
	if reason, ok := exitReasons[code]; ok {
		failure.Reason = reason
		return failure
	}
	if runtime != Native && code >= podmanFailed && code <= podmanNotFound {
		failure.Reason = NoRuntime
		return failure
	}
	failure.Reason = reasonOf(stderr)
	failure.LockRefused = failure.Reason != Locked && noLock.MatchString(stderr)
	return failure
}

func reasonOf(stderr string) Reason {
	for _, t := range textReasons {
		if t.pattern.MatchString(stderr) {
			return t.reason
		}
	}
	return Unknown
}

// mostLines bounds the detail to what helps people.
const mostLines = 10

// readable converts events on stderr to plain text, and drops repeated lines: on a full
// disk there is one for each part of each file.
func readable(stderr string) string {
	var lines []string
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		switch event := ParseEvent([]byte(line)).(type) {
		case *ExitMessage:
			line = event.Message
		case *FileError:
			line = event.Item + ": " + event.Message
		}
		if line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	lines = withoutRetries(lines)
	return strings.Join(lines[max(0, len(lines)-mostLines):], "\n")
}
