// Package floor has the least that can do what a server of backups does, so that one
// sees how much of a server's cost nobody can take away: files sent by net/http alone,
// uploads taken without it, callers refused, and connections relayed.
package floor

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Files serves the files below dir by [http.ServeFile], without asking who wants them,
// until ctx ends. An object lies where rest-server would have it.
func Files(ctx context.Context, listen, dir string) error {
	return serve(ctx, listen, func(w http.ResponseWriter, r *http.Request) {
		name := stored(dir, r.URL.Path)
		if r.Method != http.MethodPost {
			http.ServeFile(w, r, name)
			return
		}
		if err := save(name, path.Base(r.URL.Path), r.Body, r.ContentLength); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

func serve(ctx context.Context, listen string, handler http.HandlerFunc) error {
	return serveWith(ctx, listen, &http.Server{}, handler) //nolint:gosec // a floor waits for its own client alone
}

func serveWith(ctx context.Context, listen string, server *http.Server, handler http.HandlerFunc) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	server.Handler = handler
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Nothing answers each request with a success, as if each object had that size, by
// net/http alone: what is left where a server does nothing.
func Nothing(ctx context.Context, listen string, size int64) error {
	length := []string{strconv.FormatInt(size, 10)}
	return serve(ctx, listen, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.Header()["Content-Length"] = length
		}
	})
}

// Refuse answers 401 to everybody but who sends those credentials, by net/http alone: what
// is left where a server looks at nothing else, and logs nothing.
func Refuse(ctx context.Context, listen, authorization string) error {
	challenge := []string{`Basic realm="floor"`}
	return serve(ctx, listen, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != authorization {
			w.Header()["Www-Authenticate"] = challenge
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
}

// Uploads takes uploads, and nothing else, until ctx ends: a loop that reads a socket,
// hashes, writes and syncs.
func Uploads(ctx context.Context, listen, dir string) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	for {
		conn, err := listener.Accept()
		if err != nil {
			return ctx.Err()
		}
		go func() {
			defer conn.Close()
			in := bufio.NewReader(conn)
			var err error
			for err == nil {
				err = upload(conn, in, dir)
			}
		}()
	}
}

// upload reads one request, of which it looks at the path and the length alone.
func upload(conn net.Conn, in *bufio.Reader, dir string) error {
	line, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	_, uri, _ := strings.Cut(line, " ")
	uri, _, _ = strings.Cut(uri, " ")
	length := int64(0)
	for line != "\r\n" {
		if line, err = in.ReadString('\n'); err != nil {
			return err
		}
		if value, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			if length, err = strconv.ParseInt(strings.TrimSpace(value), 10, 64); err != nil {
				return err
			}
		}
	}
	status := "200 OK"
	if err := save(stored(dir, uri), path.Base(uri), in, length); err != nil {
		status = "500 Internal Server Error"
	}
	_, err = fmt.Fprintf(conn, "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", status)
	return err
}

// save writes what hashes to name, and syncs it.
func save(to, name string, body io.Reader, length int64) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil || length == 0 {
		return err // a repository is a directory
	}
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	defer file.Close()
	hash := sha256.New()
	buf := make([]byte, min(length, 256<<10))
	for left := length; left > 0; {
		n, err := body.Read(buf[:min(left, int64(len(buf)))])
		hash.Write(buf[:n])
		if _, err := file.Write(buf[:n]); err != nil {
			return err
		}
		left -= int64(n)
		if err != nil && left > 0 {
			return err
		}
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); len(name) == len(sum) && sum != name {
		return errors.New("hashes to " + sum)
	}
	return file.Sync()
}

// stored is where an object lies: packs in a directory by their first two digits.
func stored(dir, uri string) string {
	uri, _, _ = strings.Cut(uri, "?")
	parent, base := path.Split(path.Clean("/" + uri))
	if path.Base(parent) == "data" {
		parent += base[:2] + "/"
	}
	return filepath.Join(dir, filepath.FromSlash(parent+base))
}
