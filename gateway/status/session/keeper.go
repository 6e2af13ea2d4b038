package session

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// Lasts is the lifetime of a session, regardless of its use.
const Lasts = 12 * time.Hour

// keyFile holds the key in the state directory.
const keyFile = "session.key"

// Session is a login.
type Session struct {
	ID    string
	User  string
	Until time.Time
}

// Keeper signs and verifies sessions.
type Keeper struct {
	key []byte

	mu    sync.Mutex
	ended map[string]time.Time // sessions that were ended early, until their regular end
}

// Open reads the key in the state directory, or creates it; with "" all sessions end with
// the process.
func Open(stateDir string) (*Keeper, error) {
	k := &Keeper{ended: map[string]time.Time{}}
	if stateDir == "" {
		k.key = newKey()
		return k, nil
	}
	file := filepath.Join(stateDir, keyFile)
	key, err := os.ReadFile(file)
	switch {
	case err == nil && len(key) == sha256.Size:
		k.key = key
		return k, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("key of sessions: %w", err)
	}
	k.key = newKey()
	if err := atomicfile.Write(file, k.key, 0o600); err != nil {
		return nil, fmt.Errorf("key of sessions: %w", err)
	}
	return k, nil
}

func newKey() []byte {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // it never fails
	return key
}

// Begin returns a session of a user, and its cookie. mark changes with the user's
// passwords.
func (k *Keeper) Begin(user string, mark [sha256.Size]byte, now time.Time) (*Session, string) {
	s := &Session{ID: rand.Text(), User: user, Until: now.Add(Lasts).Truncate(time.Second)}
	content := s.content()
	return s, encode([]byte(content)) + "." + encode(k.sign("session", content, mark[:]))
}

// Read returns the session of a cookie, nil if it is invalid or over. marks returns the
// present mark of a user.
func (k *Keeper) Read(cookie string, marks func(user string) ([sha256.Size]byte, bool), now time.Time) *Session {
	first, second, _ := strings.Cut(cookie, ".")
	content, errContent := base64.RawURLEncoding.DecodeString(first)
	signature, errSignature := base64.RawURLEncoding.DecodeString(second)
	if errContent != nil || errSignature != nil {
		return nil
	}
	parts := strings.SplitN(string(content), " ", 3)
	if len(parts) != 3 {
		return nil
	}
	until, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return nil
	}
	s := &Session{ID: parts[0], Until: time.Unix(until, 0), User: parts[2]}
	mark, known := marks(s.User)
	if !known || !hmac.Equal(signature, k.sign("session", string(content), mark[:])) || !now.Before(s.Until) {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ended := k.ended[s.ID]; ended {
		return nil
	}
	return s
}

// End ends a session early, also for copies of the cookie. A restart of the process forgets
// that.
func (k *Keeper) End(s *Session, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, until := range k.ended {
		if !now.Before(until) {
			delete(k.ended, id)
		}
	}
	k.ended[s.ID] = s.Until
}

// Token returns a token that forms of a session must send, so that other sites cannot forge
// requests.
func (k *Keeper) Token(session string) string {
	return encode(k.sign("form", session, nil))
}

// Genuine reports whether a token is the session's.
func (k *Keeper) Genuine(session, token string) bool {
	return hmac.Equal([]byte(token), []byte(k.Token(session)))
}

func (s *Session) content() string {
	return s.ID + " " + strconv.FormatInt(s.Until.Unix(), 10) + " " + s.User
}

func (k *Keeper) sign(purpose, content string, mark []byte) []byte {
	mac := hmac.New(sha256.New, k.key)
	for _, part := range [][]byte{[]byte(purpose), []byte(content), mark} {
		fmt.Fprintf(mac, "%d:", len(part))
		mac.Write(part)
	}
	return mac.Sum(nil)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
