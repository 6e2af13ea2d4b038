package conformance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Repo is the repository in which [Run] works.
const Repo = "mymodule/3f6a1c52-0f0e-4c5b-9d7f-6a3b8f1f2e71"

// minSealed is longer than an encrypted empty file of restic.
const minSealed = 40

// object is an object of a restic repository. Except for config, its name is its SHA-256.
type object struct {
	name string
	data []byte
}

func configOf(repo string, data []byte) object {
	return object{name: repo + "/config", data: data}
}

// blob returns an object of any other type; data is sharded. Gateways accept only restic's
// formats, so data is embedded in one.
func blob(repo, typ string, data []byte) object {
	switch {
	case typ == "keys":
		data = fmt.Appendf(nil, `{"username":%q,"kdf":"scrypt","N":32768,"r":8,"p":1,"salt":%q,"data":%q}`,
			data, base64.StdEncoding.EncodeToString(random(1, 64)), base64.StdEncoding.EncodeToString(random(2, 170)))
	case typ != "data" && len(data) < minSealed:
		data = append(bytes.Clone(data), random(3, minSealed)...)
	}
	sum := sha256.Sum256(data)
	id := hex.EncodeToString(sum[:])
	if typ == "data" {
		typ = "data/" + id[:2]
	}
	return object{name: path.Join(repo, typ, id), data: data}
}

// random returns n bytes that depend only on the seed.
func random(seed byte, n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data)
	return data
}

// numbered returns n small objects with different content.
func numbered(repo, typ string, n int) []object {
	objects := make([]object, n)
	for i := range objects {
		objects[i] = blob(repo, typ, fmt.Appendf(nil, "%s object %d", typ, i))
	}
	return objects
}

// dir returns the directory in which a repository lists the object: for data the one above
// all shards. Config cannot be listed over HTTP.
func (o object) dir() string {
	dir := path.Dir(o.name)
	if parent := path.Dir(dir); path.Base(parent) == "data" {
		return parent
	}
	return dir
}

func (o object) base() string { return path.Base(o.name) }

// body hides every method of the reader except Read, like a request's body.
func (o object) body() io.Reader { return struct{ io.Reader }{bytes.NewReader(o.data)} }

func (o object) size() int64 { return int64(len(o.data)) }

func (e env) put(ctx context.Context, o object) error {
	return e.store.Put(ctx, o.name, o.size(), o.body())
}

// putBeside stores an object while, or just after, the server handles another upload of it.
// Where replacing is seen, the server may then report a failure, and is asked again.
func (e env) putBeside(ctx context.Context, o object) error {
	err := e.put(ctx, o)
	for range 5 {
		if !e.seenReplacing || !errors.Is(err, storage.ErrUnavailable) {
			break
		}
		err = e.put(ctx, o)
	}
	return err
}

func (e env) mustPut(t T, objects ...object) {
	t.Helper()
	for _, o := range objects {
		if err := e.put(t.Context(), o); err != nil {
			t.Fatalf("Put(%s): %v", o.name, err)
		}
	}
}

// read reads the result of Open. A body that is an [*os.File] is already at off, and the
// reader counts the bytes, so that net/http can use sendfile.
func (e env) read(ctx context.Context, name string, off, n int64) (data []byte, size int64, err error) {
	body, size, err := e.store.Open(ctx, name, off, n)
	if err != nil {
		return nil, size, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	var r io.Reader = body
	if file, ok := body.(*os.File); ok && n >= 0 {
		r = io.LimitReader(file, n)
	}
	data, err = io.ReadAll(r)
	return data, size, err
}

// list collects a list by name, and fails for a duplicate.
func (e env) list(ctx context.Context, dir string) (map[string]int64, error) {
	sizes := make(map[string]int64)
	err := e.store.List(ctx, dir, func(info fs.FileInfo) error {
		if _, again := sizes[info.Name()]; again {
			return fmt.Errorf("%s listed twice", info.Name())
		}
		if info.IsDir() || !info.Mode().IsRegular() {
			return fmt.Errorf("%s listed with mode %v", info.Name(), info.Mode())
		}
		sizes[info.Name()] = info.Size()
		return nil
	})
	return sizes, err
}

func (e env) mustList(t T, dir string) map[string]int64 {
	t.Helper()
	sizes, err := e.list(t.Context(), dir)
	if err != nil {
		t.Fatalf("List(%s): %v", dir, err)
	}
	return sizes
}

// wantObject checks the object with Stat, Open and List.
func (e env) wantObject(t T, o object) {
	t.Helper()
	info, err := e.store.Stat(t.Context(), o.name)
	if err != nil {
		t.Errorf("Stat(%s): %v", o.name, err)
	} else if info.Name() != o.base() || info.Size() != o.size() || !info.Mode().IsRegular() {
		t.Errorf("Stat(%s) = %s, %d bytes, %v; want %d bytes of a regular file",
			o.name, info.Name(), info.Size(), info.Mode(), o.size())
	}
	data, size, err := e.read(t.Context(), o.name, 0, -1)
	if err != nil || size != o.size() || !bytes.Equal(data, o.data) {
		t.Errorf("Open(%s) gave %d bytes of size %d, %v; want the %d bytes that were put",
			o.name, len(data), size, err, o.size())
	}
	if e.canList(o.dir()) {
		if got, ok := e.mustList(t, o.dir())[o.base()]; !ok || got != o.size() {
			t.Errorf("List(%s) has %s: %t, with %d bytes; want %d", o.dir(), o.base(), ok, got, o.size())
		}
	}
}

// wantAbsent checks with Stat, Open and List that the object does not exist.
func (e env) wantAbsent(t T, o object) {
	t.Helper()
	if _, err := e.store.Stat(t.Context(), o.name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat(%s) of an absent object = %v; want fs.ErrNotExist", o.name, err)
	}
	if _, _, err := e.read(t.Context(), o.name, 0, -1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open(%s) of an absent object = %v; want fs.ErrNotExist", o.name, err)
	}
	if !e.canList(o.dir()) {
		return
	}
	sizes, err := e.list(t.Context(), o.dir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("List(%s): %v", o.dir(), err)
	}
	if _, ok := sizes[o.base()]; ok {
		t.Errorf("List(%s) has %s, which is absent", o.dir(), o.base())
	}
}

// canList reports whether dir can be listed in the protocol, which cannot list the
// directory of a config.
func (e env) canList(dir string) bool {
	return !e.overHTTP || path.Dir(path.Dir(dir)) != "."
}
