package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/restclient"
	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/servers"
)

// smallPack is the size of the packs: what is measured does not look into them.
const smallPack = 512

// deletions is how many packs are deleted each way.
const deletions = 2000

// runUndo measures what it costs that what is deleted is kept: a DELETE beside one of a
// destination that keeps nothing, a list beside a full trash, and a list of a repository
// as it was. Both of a pair are measured in turns.
func runUndo(ctx context.Context, o options, base string, redis *servers.Redis) error {
	binary, err := servers.Program(o.gateway, "make build")
	if err != nil {
		return err
	}
	fmt.Println("| on | what | beside it | ratio |")
	fmt.Println("|---|---|---|---:|")
	for _, s3 := range []bool{false, true} {
		if err := undoOn(ctx, o, base, servers.Gateway(binary, redis), redis, s3); err != nil {
			return err
		}
	}
	return nil
}

// undoOn measures on a directory, or on S3 with a tenth of the objects.
func undoOn(ctx context.Context, o options, base string, c servers.Contestant, redis *servers.Redis, s3 bool) error {
	dir, err := os.MkdirTemp(base, "undo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	at := servers.Storage{Dir: filepath.Join(dir, "root")}
	if err := os.Mkdir(at.Dir, 0o700); err != nil {
		return err
	}
	where, packs := "a disk", o.objects
	if s3 {
		minio, endpoint, err := servers.StartMinIO(ctx, o.minio, filepath.Join(dir, "storage"))
		if err != nil {
			return err
		}
		defer minio.Stop()
		at = servers.Storage{Endpoint: endpoint, Bucket: servers.S3Bucket}
		where, packs = "MinIO", max(100, o.objects/10)
	} else if err := redis.DescribePlain(ctx, filepath.Join(dir, "plain")); err != nil {
		return err
	}
	server, err := c.Start(ctx, at)
	if err != nil {
		return err
	}
	defer server.Stop()
	u := &undo{Server: server, o: o, where: where, packs: packs, made: restclient.NewBlobs(smallPack)}
	if !s3 {
		if err := u.deletions(ctx); err != nil {
			return err
		}
	}
	return u.lists(ctx)
}

// undo measures on one storage.
type undo struct {
	*servers.Server

	o     options
	where string
	packs int
	made  *restclient.Blobs
}

// as is a client of a repository for the node, which may delete.
func (u *undo) as(dest, repo string) *restclient.Client {
	root, _, _ := strings.Cut(u.Client.Base, servers.Destination)
	return restclient.New(root+dest+"/"+repo+"/", servers.NodeUser, servers.Password, servers.Connections)
}

// fill stores so many packs.
func (u *undo) fill(ctx context.Context, c *restclient.Client, n int) ([]*restclient.Blob, error) {
	stored := make([]*restclient.Blob, n)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(u.o.clients)
	for i := range stored {
		group.Go(func() (err error) {
			if stored[i], err = u.made.New(); err != nil {
				return err
			}
			return c.Put(ctx, "data/", stored[i])
		})
	}
	return stored, group.Wait()
}

// empty deletes packs.
func (u *undo) empty(ctx context.Context, c *restclient.Client, packs []*restclient.Blob) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(u.o.clients)
	for _, b := range packs {
		group.Go(func() error { return c.Remove(ctx, b) })
	}
	return group.Wait()
}

// repository makes one with so many packs.
func (u *undo) repository(ctx context.Context, c *restclient.Client, packs int) ([]*restclient.Blob, error) {
	if err := c.Create(ctx); err != nil {
		return nil, err
	}
	if err := c.PutConfig(ctx); err != nil {
		return nil, err
	}
	return u.fill(ctx, c, packs)
}

// deletions deletes packs that are kept and packs that are not, one after the other.
func (u *undo) deletions(ctx context.Context) error {
	keeps, plain := u.as(servers.Destination, servers.LongRepository), u.as(servers.PlainDestination, servers.LongRepository)
	defer keeps.Close()
	defer plain.Close()
	n := min(deletions, u.packs)
	kept, err := u.repository(ctx, keeps, n)
	if err != nil {
		return err
	}
	gone, err := u.repository(ctx, plain, n)
	if err != nil {
		return err
	}
	i := 0
	return u.compare(ctx, n, "DELETE that keeps", "one that does not", func(ctx context.Context) error {
		return keeps.Remove(ctx, kept[i])
	}, func(ctx context.Context) error {
		i++
		return plain.Remove(ctx, gone[i-1])
	})
}

// lists lists beside a trash, and as it was.
func (u *undo) lists(ctx context.Context) error {
	plain, used := u.as(servers.Destination, servers.Repository), u.as(servers.Destination, servers.LongRepository)
	defer plain.Close()
	defer used.Close()
	if _, err := u.repository(ctx, plain, u.packs); err != nil {
		return err
	}
	packs, err := u.repository(ctx, used, u.packs)
	if err != nil {
		return err
	}
	then := time.Now()
	if err := servers.Poll(ctx, time.Minute, func() error {
		if time.Now().Unix() <= then.Unix()+1 {
			return fmt.Errorf("the second of %v is not over", then)
		}
		return nil
	}); err != nil {
		return err
	}
	tenth := u.packs / 10
	if err := u.empty(ctx, used, packs[:tenth]); err != nil {
		return err
	}
	was := *used
	was.Base = strings.TrimSuffix(used.Base, "/") + "@" + then.UTC().Format("2006-01-02T15:04:05Z") + "/"
	list := func(c *restclient.Client, want int) func(context.Context) error {
		return func(ctx context.Context) error {
			n, err := c.List(ctx, "data/", false)
			if err == nil && n != want {
				err = fmt.Errorf("list: %d packs, want %d", n, want)
			}
			return err
		}
	}
	rounds := max(1, 4*u.o.rounds)
	if err := u.compare(ctx, rounds, fmt.Sprintf("list of %d packs as it was, a tenth deleted since", u.packs), "as it is",
		list(&was, u.packs), list(used, u.packs-tenth)); err != nil {
		return err
	}
	more, err := u.fill(ctx, used, u.packs)
	if err != nil {
		return err
	}
	if err := u.empty(ctx, used, more[:u.packs-tenth]); err != nil {
		return err
	}
	return u.compare(ctx, rounds, fmt.Sprintf("list of %d packs, as many deleted in the last hour", u.packs), "none deleted",
		list(used, u.packs), list(plain, u.packs))
}

// compare measures two things in turns, and prints the ratio of their medians.
func (u *undo) compare(ctx context.Context, rounds int, what, beside string, first, second func(context.Context) error) error {
	var took [2][]float64
	for range rounds {
		for i, do := range []func(context.Context) error{first, second} {
			began := time.Now()
			if err := do(ctx); err != nil {
				return fmt.Errorf("%s, on %s: %w", what, u.where, err)
			}
			took[i] = append(took[i], milliseconds(time.Since(began)))
		}
	}
	cell := func(times []float64) string { return spread(times, " ms, ", twoDigits) }
	fmt.Printf("| %s | %s: %s | %s: %s | %.2f |\n", u.where, what, cell(took[0]), beside, cell(took[1]), middle(took[0])/middle(took[1]))
	return nil
}
