package peer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"

	"github.com/rclone-gateway/rclone-gateway/gateway/form"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// A node with HAProxy and rclone overwrites any file with what it receives, while it
// receives it: a config by another one, and a good pack by half of one if the upload breaks
// off. So before an upload it is asked for what it has.

// keep reports whether an upload is answered without the peer, which already has the
// object.
func (l *Link) keep(ctx context.Context, w http.ResponseWriter, r *http.Request, job *Job) (done bool, err error) {
	if l.ours.Load() || !job.Restic || job.Type == object.Root || r.Method != http.MethodPost && r.Method != http.MethodPut {
		return false, nil
	}
	if r.ContentLength < 0 {
		return false, refusal.ErrLength
	}
	if err := form.Size(job.Type.String(), r.ContentLength); err != nil {
		return false, err
	}
	switch job.Type {
	case object.Config:
		return l.keepConfig(ctx, w, r, job)
	case object.Keys:
		if err := l.checkKey(ctx, r, job); err != nil {
			return false, err
		}
	}
	whole := sha256.New()
	switch err := l.fetch(ctx, r, job, whole); {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case hex.EncodeToString(whole.Sum(nil)) != job.Name:
		return false, nil // a damaged object is replaced
	}
	if _, err := io.Copy(io.Discard, rest.Verify(r.Body, r.ContentLength, job.Name)); err != nil {
		return false, err
	}
	w.WriteHeader(http.StatusOK)
	return true, nil
}

// keepConfig allows the creation of a config, and repeated creation with the same content.
// Only nodes may replace it.
func (l *Link) keepConfig(ctx context.Context, w http.ResponseWriter, r *http.Request, job *Job) (done bool, err error) {
	var there bytes.Buffer
	err = l.fetch(ctx, r, job, &there)
	absent := errors.Is(err, fs.ErrNotExist)
	if err != nil && !absent {
		return false, err
	}
	content := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, content); err != nil {
		return false, fmt.Errorf("%w: %w", storage.ErrShort, err)
	}
	switch {
	case !absent && bytes.Equal(there.Bytes(), content):
		w.WriteHeader(http.StatusOK)
		return true, nil
	case !absent && !job.Node:
		return false, fmt.Errorf("config is there with other content: %w", refusal.ErrForbidden)
	}
	r.Body = io.NopCloser(bytes.NewReader(content))
	return false, nil
}

// checkKey refuses files that are not keys, and further keys from modules: any other file
// there stops restic.
func (l *Link) checkKey(ctx context.Context, r *http.Request, job *Job) error {
	content, err := io.ReadAll(rest.Verify(r.Body, r.ContentLength, job.Name))
	if err != nil {
		return err
	}
	if err := form.Key(content); err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(content))
	if job.Node {
		return nil
	}
	same, err := l.lists(ctx, r, job, object.Keys, job.Name)
	if err == nil && !same {
		var others bool
		if others, err = l.lists(ctx, r, job, object.Keys, ""); others {
			return fmt.Errorf("%w: the repository has a key", refusal.ErrKey)
		}
	}
	if err != nil {
		return fmt.Errorf("%w: node %s: its list of keys: %w", refusal.ErrPeerAnswer, l.Node, err)
	}
	return nil
}

// fetch reads an object of the peer. [fs.ErrNotExist] is as reliable as the peer's lists.
func (l *Link) fetch(ctx context.Context, r *http.Request, job *Job, to io.Writer) error {
	path := job.Type.String()
	if job.Name != "" {
		path += "/" + job.Name
	}
	resp, err := l.question(ctx, r, http.MethodGet, job.Destination+"/"+job.Repo+"/"+path)
	if err != nil {
		return fmt.Errorf("%w: node %s: %w", refusal.ErrPeer, l.Node, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		if _, err := io.Copy(to, resp.Body); err != nil {
			return fmt.Errorf("%w: node %s broke off: %w", refusal.ErrPeer, l.Node, err)
		}
		return nil
	case http.StatusNotFound:
		return l.absent(ctx, r, job)
	case http.StatusUnauthorized, http.StatusForbidden:
		return l.refused(ctx, resp.StatusCode, job)
	}
	return fmt.Errorf("%w: node %s answers %d", refusal.ErrPeerAnswer, l.Node, resp.StatusCode)
}

// absent returns [fs.ErrNotExist] unless the peer's lists contradict that. A config may be
// missing while there are keys, since restic stores it after them, but not while there are
// snapshots.
func (l *Link) absent(ctx context.Context, r *http.Request, job *Job) error {
	if job.Type != object.Config {
		return l.missing(ctx, r, job)
	}
	used, err := l.lists(ctx, r, job, object.Snapshots, "")
	switch {
	case err != nil:
		return fmt.Errorf("%w: node %s answers 404, and its list proves nothing: %w", refusal.ErrPeerAnswer, l.Node, err)
	case used:
		return fmt.Errorf("%w: node %s answers 404 to the config of a repository with snapshots", refusal.ErrPeerAnswer, l.Node)
	}
	return fs.ErrNotExist
}

// question sends a request of this node to the peer, with the caller's credentials.
func (l *Link) question(ctx context.Context, r *http.Request, method, path string) (*http.Response, error) {
	out, err := http.NewRequestWithContext(ctx, method, "http://"+l.address+"/"+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	out.Header.Set("Accept", rest.MediaTypeV2)
	out.Header.Set("Authorization", r.Header.Get("Authorization"))
	out.Header.Set(HeaderHop, l.peers.opts.NodeID)
	return l.peers.transport.RoundTrip(out)
}

// hides reports whether the peer answers 404 over WebDAV for a repository that it serves
// over REST, because its listings are minutes old.
func (l *Link) hides(ctx context.Context, r *http.Request, job *Job) error {
	if job.Repo == "" {
		return nil
	}
	resp, err := l.question(ctx, r, http.MethodHead, job.Destination+"/"+job.Repo+"/"+object.Config.String())
	if err != nil {
		return fmt.Errorf("%w: node %s: %w", refusal.ErrPeer, l.Node, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return fmt.Errorf("%w: node %s answers 404 in a repository that it has", refusal.ErrPeerAnswer, l.Node)
	}
	return nil
}
