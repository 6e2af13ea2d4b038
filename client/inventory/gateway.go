package inventory

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// listTimeout bounds the wait for the header of an answer: the first use of a destination
// may take a while. The listing itself may take as long as it needs.
const listTimeout = 2 * time.Minute

// Gateway is the gateway as one user sees it.
type Gateway struct {
	client *http.Client
	url    string
	login  host.Credentials
	advise func(error) string // what is missing to reach it
}

// NewGateway returns the gateway that the environment names, with our credentials.
func NewGateway(env *host.Environment) (Gateway, error) {
	login, err := env.GatewayCredentials()
	return NewGatewayAs(env, login), err
}

// NewGatewayAs is NewGateway with other credentials.
func NewGatewayAs(env *host.Environment, login host.Credentials) Gateway {
	return Gateway{env.GatewayClient(listTimeout), env.GatewayURL(), login, env.GatewayFiles().Advice}
}

// Entry is a file or a directory on a destination.
type Entry struct {
	Name     string
	Dir      bool
	Size     int64
	Modified time.Time // zero if the storage does not know
}

// properties are the properties that we request of each entry.
const properties = `<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/></prop></propfind>`

// response is an entry in WebDAV's form.
type response struct {
	Href string `xml:"href"`
	Prop []struct {
		Collection *struct{} `xml:"prop>resourcetype>collection"`
		Length     int64     `xml:"prop>getcontentlength"`
		Modified   string    `xml:"prop>getlastmodified"`
		Status     string    `xml:"status"`
	} `xml:"propstat"`
}

// List returns the entries of a directory, or an error that is [fs.ErrNotExist].
func (g Gateway) List(ctx context.Context, dir string) ([]Entry, error) {
	dir = strings.Trim(dir, "/")
	answer, err := g.do(ctx, "PROPFIND", dir+"/", strings.NewReader(properties))
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusMultiStatus {
		return nil, g.refusal(dir, answer)
	}
	var entries []Entry
	decoder := xml.NewDecoder(answer.Body)
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, exit.Failf(exit.Unreachable, "the gateway's list of %s broke off: %w", host.Printable(dir), err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "response" {
			continue
		}
		var r response
		if err := decoder.DecodeElement(&r, &start); err != nil {
			return nil, exit.Failf(exit.Unreachable, "the gateway's list of %s broke off: %w", host.Printable(dir), err)
		}
		if entry, itself := r.entry(g.url, dir); !itself {
			entries = append(entries, entry)
		}
	}
}

// entry reads a response. The first one of a listing is the directory itself.
func (r response) entry(base, dir string) (e Entry, itself bool) {
	address := strings.TrimSuffix(strings.TrimPrefix(r.Href, base), "/")
	if parsed, err := url.Parse(r.Href); err == nil {
		address = strings.TrimSuffix(parsed.Path, "/")
	}
	e.Name = path.Base(address)
	for _, p := range r.Prop {
		if !strings.Contains(p.Status, " 200 ") {
			continue
		}
		e.Dir, e.Size = p.Collection != nil, p.Length
		e.Modified, _ = http.ParseTime(p.Modified) // most storages do not date directories
	}
	return e, strings.HasSuffix(address, "/"+dir) && path.Base(dir) == e.Name
}

// Read returns the first limit bytes of a file.
func (g Gateway) Read(ctx context.Context, name string, limit int64) ([]byte, error) {
	answer, err := g.do(ctx, http.MethodGet, name, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, g.refusal(name, answer)
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, limit))
	if err != nil {
		return nil, exit.Failf(exit.Unreachable, "the gateway broke off %s: %w", host.Printable(name), err)
	}
	return data, nil
}

func (g Gateway) do(ctx context.Context, method, name string, body io.Reader) (*http.Response, error) {
	segments := strings.Split(name, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	request, err := http.NewRequestWithContext(ctx, method, g.url+"/"+strings.Join(segments, "/"), body)
	if err != nil {
		return nil, exit.Failf(exit.Usage, "the gateway's address %s is no URL", g.url)
	}
	request.SetBasicAuth(g.login.User, g.login.Password)
	if body != nil {
		request.Header.Set("Depth", "1")
		request.Header.Set("Content-Type", "application/xml")
	}
	answer, err := g.client.Do(request)
	if err == nil {
		return answer, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if advice := g.advise(err); advice != "" {
		return nil, exit.Failf(exit.Unreachable, "the gateway at %s cannot be used: %s: %w", g.url, advice, err)
	}
	return nil, exit.Failf(exit.Unreachable, "the gateway at %s does not answer (NS8_GATEWAY_URL says where it is): %w", g.url, err)
}

// refusal returns the error for an unexpected answer.
func (g Gateway) refusal(name string, answer *http.Response) error {
	name = host.Printable(name)
	switch answer.StatusCode {
	case http.StatusNotFound:
		return fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	case http.StatusUnauthorized, http.StatusForbidden:
		return exit.Failf(exit.Forbidden, "the gateway at %s refuses user %q at %s: %s", g.url, g.login.User, name, answer.Status)
	}
	return exit.Failf(exit.Unreachable, "the gateway at %s answered %s for %s", g.url, answer.Status, name)
}
