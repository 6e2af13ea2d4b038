package trash

import (
	"context"
	"io/fs"
	"sync"
	"time"
)

// notedFor is how long the notes of a repository are not read again to describe a
// snapshot. Another gateway may have brought one back meanwhile, and then its time is
// that of the storage for as long.
const notedFor = 10 * time.Second

// noted remembers the notes of repositories. The zero value is ready.
type noted struct {
	mu    sync.Mutex
	repos map[string]readNotes
}

type readNotes struct {
	notes
	at time.Time
}

// forget drops what is known of a repository, whose notes have changed.
func (n *noted) forget(repo string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.repos, repo)
}

func (n *noted) of(repo string) (notes, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r, known := n.repos[repo]
	return r.notes, known && time.Since(r.at) < notedFor
}

func (n *noted) learn(repo string, read notes) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for other, r := range n.repos {
		if time.Since(r.at) >= notedFor {
			delete(n.repos, other)
		}
	}
	if n.repos == nil {
		n.repos = make(map[string]readNotes)
	}
	n.repos[repo] = readNotes{read, time.Now()}
}

// withReceipt describes an object by the time of its first receipt.
func (s *Store) withReceipt(ctx context.Context, o object, info fs.FileInfo) (fs.FileInfo, error) {
	n, known := s.noted.of(o.repo)
	if !known {
		var err error
		if n, err = s.readReceipts(ctx, o.repo); err != nil {
			return nil, err
		}
		s.noted.learn(o.repo, n)
	}
	if first, noted := n.receipts[receiptKey{o.kind, o.name}]; noted {
		return receivedAt{info, first}, nil
	}
	return info, nil
}

// receivedAt is an object of which the storage tells a later time.
type receivedAt struct {
	fs.FileInfo

	at time.Time
}

func (i receivedAt) ModTime() time.Time { return i.at }
