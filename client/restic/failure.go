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

// The reasons. Unknown is every other one.
const (
	Unknown Reason = iota
	// Incomplete means that the snapshot was made, but that some files could
	// not be read.
	Incomplete
	// NoRepository means that there is none, or that restic could not find out.
	NoRepository
	Locked
	WrongKey
	// Unreachable means that the gateway, or the destination behind it, does
	// not answer.
	Unreachable
	// Full means that the quota is reached or the storage is full.
	Full
	// Forbidden means that the gateway refused the credentials or the path.
	Forbidden
	// NoRuntime means that podman or restic could not be started at all.
	NoRuntime
)

// Failure is a run of restic that ended with another status than zero.
type Failure struct {
	Reason Reason
	// Code is the exit status; −1 when a signal ended the process.
	Code int
	// Detail is the end of what restic, or podman, said on stderr.
	Detail string
	// LockRefused means that restic could not write its lock, on a storage that refuses
	// writes or fails. A lock that another process holds is not meant.
	LockRefused bool
}

// Killed reports whether a signal ended restic, or podman, so that a lock may be
// left in the repository.
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

// podmanFailed to podmanNotFound are the statuses podman run ends with when it
// cannot run the command in the container.
const (
	podmanFailed   = 125
	podmanNotFound = 127
)

// exitReasons are restic's own statuses: from 0.17 on, and 3 in all versions.
var exitReasons = map[int]Reason{3: Incomplete, 10: NoRepository, 11: Locked, 12: WrongKey}

var fullStorage = regexp.MustCompile(`\(507\)|\b507 |Insufficient Storage|no space left on device|disk quota exceeded`)

// retrying is how restic says that it will ask again.
var retrying = regexp.MustCompile(`^Save\(.* returned error, retrying after `)

var (
	// savingLock is how restic says that an attempt to write its lock failed.
	savingLock = regexp.MustCompile(`^Save\(<lock/`)
	// noLock is how it ends without one: at the beginning, or in a run so long that the
	// lock had to be renewed.
	noLock = regexp.MustCompile(`unable to create lock in backend|failed to refresh lock in time`)
)

// patience decides when a run that tries again and again is to be ended.
type patience struct {
	lockTries int // see [Invocation.LockTries]
	locksLost int
}

// hopeless returns a failure if restic tells in this line that it will try again
// what cannot succeed, or has tried often enough.
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

// textReasons tell failures apart by what restic says: before 0.17, and where its
// status is a plain 1. The first match counts.
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

// classify says why a process of the runtime ended with code, which is not zero.
func classify(runtime Runtime, code int, stderr string) *Failure {
	failure := &Failure{Code: code, Detail: readable(stderr)}
	if failure.Killed() {
		return failure // what it said before is not why
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

// mostLines is how much of what restic says at its end helps people.
const mostLines = 10

// readable turns the events among the lines of stderr into plain text, and tells
// each line once: on a full disk there is one for each part of each file.
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
