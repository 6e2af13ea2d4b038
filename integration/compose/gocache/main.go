// Gocache is a GOCACHEPROG for builds inside of containers: it shares the build cache
// of the machine over HTTP, so that a build in a test compiles nothing that was compiled
// before, in another checkout or by another engine. Copies of what it uses are in a
// directory of its own.
//
//	gocache URL DIRECTORY
//
// Below URL are the files of a GOCACHE: GET reads one, PUT makes one.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// request and response are of the protocol between the go command and its cache.
type request struct {
	ID       int64
	Command  string
	ActionID []byte
	OutputID []byte
	BodySize int64
}

type response struct {
	ID            int64
	Err           string     `json:",omitempty"`
	KnownCommands []string   `json:",omitempty"`
	Miss          bool       `json:",omitempty"`
	OutputID      []byte     `json:",omitempty"`
	Size          int64      `json:",omitempty"`
	Time          *time.Time `json:",omitempty"`
	DiskPath      string     `json:",omitempty"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gocache URL DIRECTORY")
		os.Exit(2)
	}
	c := cache{url: os.Args[1], dir: os.Args[2], client: &http.Client{Timeout: time.Minute}}
	if err := c.serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gocache:", err)
		os.Exit(1)
	}
}

type cache struct {
	url, dir string
	client   *http.Client

	mu  sync.Mutex
	out *json.Encoder
}

func (c *cache) answer(r response) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.out.Encode(r) // the go command is gone, and so are we soon
}

func (c *cache) serve(in io.Reader, out io.Writer) error {
	c.out = json.NewEncoder(out)
	c.answer(response{KnownCommands: []string{"get", "put", "close"}})
	var pending sync.WaitGroup
	defer pending.Wait()
	for decoder := json.NewDecoder(bufio.NewReader(in)); ; {
		var r request
		if err := decoder.Decode(&r); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		switch r.Command {
		case "get":
			pending.Go(func() { c.answer(c.get(r)) })
		case "put":
			var body string
			if r.BodySize > 0 {
				if err := decoder.Decode(&body); err != nil {
					return err
				}
			}
			pending.Go(func() { c.answer(c.put(r, body)) })
		case "close":
			pending.Wait()
			c.answer(response{ID: r.ID})
			return nil
		}
	}
}

// name is where a GOCACHE has an entry (kind a) or an output (kind d).
func name(id []byte, kind string) string {
	digits := hex.EncodeToString(id)
	return digits[:2] + "/" + digits + "-" + kind
}

func (c *cache) get(r request) response {
	entry, err := c.file(name(r.ActionID, "a"))
	if err != nil {
		return response{ID: r.ID, Miss: true}
	}
	text, err := os.ReadFile(entry)
	var action, output []byte
	var size, nanoseconds int64
	if err == nil {
		_, err = fmt.Sscanf(string(text), "v1 %x %x %d %d", &action, &output, &size, &nanoseconds)
	}
	if err != nil {
		return response{ID: r.ID, Miss: true}
	}
	path, err := c.file(name(output, "d"))
	if err != nil {
		return response{ID: r.ID, Miss: true}
	}
	made := time.Unix(0, nanoseconds)
	return response{ID: r.ID, OutputID: output, Size: size, Time: &made, DiskPath: path}
}

// file returns our copy of a file of the cache, which it fetches if need be.
func (c *cache) file(name string) (string, error) {
	path := filepath.Join(c.dir, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	question, err := http.NewRequestWithContext(context.Background(), http.MethodGet, c.url+"/"+name, nil)
	if err != nil {
		return "", err
	}
	answer, err := c.client.Do(question)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", name, answer.Status)
	}
	return path, write(path, answer.Body)
}

func (c *cache) put(r request, body string) response {
	data, err := base64.StdEncoding.DecodeString(body)
	if err != nil {
		return response{ID: r.ID, Err: err.Error()}
	}
	path := filepath.Join(c.dir, name(r.OutputID, "d"))
	entry := fmt.Sprintf("v1 %x %x %20d %20d\n", r.ActionID, r.OutputID, len(data), time.Now().UnixNano())
	if err = write(path, bytes.NewReader(data)); err == nil {
		err = write(filepath.Join(c.dir, name(r.ActionID, "a")), strings.NewReader(entry))
	}
	if err != nil {
		return response{ID: r.ID, Err: err.Error()}
	}
	// The build has what it needs, whether or not others get it.
	if c.share(name(r.OutputID, "d"), data) == nil {
		_ = c.share(name(r.ActionID, "a"), []byte(entry))
	}
	return response{ID: r.ID, DiskPath: path}
}

// share gives the machine a file for its cache.
func (c *cache) share(name string, content []byte) error {
	question, err := http.NewRequestWithContext(context.Background(), http.MethodPut, c.url+"/"+name, bytes.NewReader(content))
	if err != nil {
		return err
	}
	answer, err := c.client.Do(question)
	if err != nil {
		return err
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		return fmt.Errorf("%s: %s", name, answer.Status)
	}
	return nil
}

// write makes a file whole or not at all.
func write(path string, from io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), "new*")
	if err != nil {
		return err
	}
	_, err = io.Copy(temporary, from)
	if closed := temporary.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
	}
	return err
}
