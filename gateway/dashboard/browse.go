package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"path"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/page"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/internal/browseapi"
)

const (
	// listTimeout bounds the listing of a directory: for the first one of a snapshot,
	// restic lists the whole snapshot.
	listTimeout = 2 * time.Minute
	// maxListing bounds such a list, in bytes.
	maxListing = 8 << 20
)

// browser asks the node's "gatewayctl snapshot serve", which has the passwords of the
// repositories. The gateway does not use them.
type browser struct{ client *http.Client }

// newBrowser returns nil without a socket.
func newBrowser(socket string) *browser {
	if socket == "" {
		return nil
	}
	var d net.Dialer
	return &browser{&http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", socket) },
		DisableKeepAlives: true,
	}}}
}

// ask sends a request; the caller closes the response's body.
func (b *browser) ask(ctx context.Context, what string, at *page.Place) (*http.Response, error) {
	query := url.Values{"repository": {at.Repository}, "destination": {at.Destination}, "snapshot": {at.Snapshot}, "path": {at.Path}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://snapshots"+what+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := b.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w: gatewayctl snapshot serve: %w", storage.ErrUnavailable, err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	_ = answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusNotFound, http.StatusBadRequest:
		return nil, refusal.ErrNotFound
	}
	return nil, fmt.Errorf("%w: gatewayctl snapshot serve answers %s", storage.ErrUnavailable, answer.Status)
}

// list returns the entries of a directory.
func (b *browser) list(ctx context.Context, at *page.Place) (*browseapi.Listing, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	answer, err := b.ask(ctx, browseapi.ListPath, at)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	var listing browseapi.Listing
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxListing)).Decode(&listing); err != nil {
		return nil, fmt.Errorf("%w: gatewayctl snapshot serve: %w", storage.ErrUnavailable, err)
	}
	return &listing, nil
}

// prepareBrowse prepares the page of a directory of a snapshot.
func (d *Dashboard) prepareBrowse(r *http.Request, p *page.Page) error {
	at := parsePlace(r)
	if d.browser == nil || p.Facts.Module(at.Repository) == nil || p.Facts.Destination(at.Destination) == nil {
		return refusal.ErrNotFound
	}
	listing, err := d.browser.list(r.Context(), &at)
	if err != nil {
		return err
	}
	p.Module, p.Destination = p.Facts.Module(at.Repository), p.Facts.Destination(at.Destination)
	p.Title = "Files of " + p.Module.Name
	p.Place, p.More = &at, listing.More
	for _, e := range listing.Entries {
		p.Files = append(p.Files, page.File{Name: e.Name, Type: e.Type, Size: e.Size, Modified: e.Modified})
	}
	return nil
}

// download sends a file, or a directory as an archive, and records who got it.
func (d *Dashboard) download(w *observe.Response, r *http.Request, who *viewer) error {
	at := parsePlace(r)
	if d.browser == nil || d.opts.State.Latest() == nil {
		return refusal.ErrNotFound
	}
	if facts := d.facts(r.Context(), false); facts.Module(at.Repository) == nil || facts.Destination(at.Destination) == nil {
		return refusal.ErrNotFound
	}
	answer, err := d.browser.ask(r.Context(), browseapi.ContentPath, &at)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	d.opts.Audit.Write(audit.Event{
		What: "download", Who: who.user, From: r.RemoteAddr, Destination: at.Destination, Repository: at.Repository,
		Object: "snapshot " + at.Snapshot + ": " + at.Path, Request: w.ID(), Result: "ok",
	})
	name := path.Base(at.Path)
	kind := answer.Header.Get("Content-Type")
	if kind == "application/zip" {
		if name == "/" {
			name = at.Snapshot
		}
		name += ".zip"
	} else {
		kind = "application/octet-stream"
	}
	header := w.Header()
	header.Set("Content-Type", kind)
	header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	if length := answer.Header.Get("Content-Length"); length != "" {
		header.Set("Content-Length", length)
	}
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := io.Copy(w, answer.Body); err != nil { // cutting the connection shows that the download is incomplete
		return fmt.Errorf("%w: gatewayctl snapshot serve: %w", storage.ErrUnavailable, err)
	}
	return nil
}
