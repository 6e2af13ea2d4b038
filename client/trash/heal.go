package trash

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/gatewayadmin"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// healFlags are the flags of heal.
type healFlags struct {
	which

	dryRun bool
}

func newHeal(sys *host.System) *cobra.Command {
	var f healFlags
	cmd := &cobra.Command{
		Use:   "heal [flags] --destination NAME --repository APP/UUID",
		Short: "Bring back packs that a prune took from under a backup",
		Long: `Bring back packs that a prune took from under a backup. restic's locks keep the two apart,
unless somebody removes one (unlock --remove-all): then a backup builds on packs that are
gone when it ends, and its snapshot cannot be restored.

restic checks the repository; of what it misses, the indexes that the prune replaced say in
which packs it is, as long as the trash has both. Those packs come back, restic repairs
the index, and checks again. It needs restic, and the password of the repository.`,
		Example: `  gatewayctl repository heal --destination DESTINATION --repository dokuwiki/UUID --dry-run
  gatewayctl repository heal --destination DESTINATION --repository dokuwiki/UUID`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Unreachable, exit.Forbidden, exit.Redis, exit.NotFound, exit.Locked, exit.Password, exit.Signal),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			req, err := f.request(cmd.Context(), sys)
			if err != nil {
				return err
			}
			command, err := resticOn(cmd.Context(), sys, req)
			if err != nil {
				return err
			}
			h := &healer{sys: sys, command: command, req: req, blobs: map[string]packOfBlob{}}
			return h.heal(cmd.Context(), f.dryRun)
		},
	}
	f.register(sys, cmd).BoolVar(&f.dryRun, "dry-run", false, "only tell what would come back")
	return cmd
}

// healRounds bounds the checks of a repository. What is missing below a missing directory
// only shows in the next round.
const healRounds = 5

// healer repairs one repository.
type healer struct {
	sys     *host.System
	command restic.Invocation
	req     adminapi.RepositoryRequest

	indexes []adminapi.Deleted    // unread ones in the trash, last deleted first
	blobs   map[string]packOfBlob // packs in the trash, by blob, from the indexes read
	kept    map[string]bool       // packs in the trash
}

// packOfBlob is the location of a blob.
type packOfBlob struct {
	pack string
	tree bool
}

func (h *healer) heal(ctx context.Context, dryRun bool) error {
	for round := range healRounds {
		said, err := h.check(ctx)
		if err == nil {
			text := "restic misses nothing: the repository is whole"
			if round == 0 {
				text = "restic misses nothing: there is nothing to heal"
			}
			_, err := fmt.Fprintln(h.sys.Stdout, text)
			return err
		}
		if !isDamage(err) {
			return run.ResticError(h.command.Repository, err)
		}
		packs, errFind := h.find(ctx, missing(said))
		if errFind != nil {
			return errFind
		}
		if len(packs) == 0 {
			return exit.Failf(exit.Failed, "what restic misses is not in the trash: %w", run.ResticError(h.command.Repository, err))
		}
		if dryRun {
			_, err := fmt.Fprintf(h.sys.Stdout, "would bring back: %d packs at first\n", len(packs))
			return err
		}
		if err := h.bringBack(ctx, packs); err != nil {
			return err
		}
	}
	return exit.Failf(exit.Failed, "restic still misses something after %d rounds: run it again, or look at restic check", healRounds)
}

// isDamage reports whether restic ran and found damage: other failures have other statuses
// or reasons.
func isDamage(err error) bool {
	failure, ok := errors.AsType[*restic.Failure](err)
	return ok && failure.Reason == restic.Unknown
}

// check lets restic check the repository, and returns its output.
func (h *healer) check(ctx context.Context) (said []byte, err error) {
	var all bytes.Buffer
	both := io.MultiWriter(h.sys.Stderr, &all)
	err = h.command.With("check").Run(ctx, restic.Streams{Stdout: both, Stderr: both})
	return all.Bytes(), err
}

// longID matches IDs of blobs and trees in restic's messages.
var longID = regexp.MustCompile(`\b[0-9a-f]{64}\b`)

// missing returns the IDs in restic's messages: those of missing blobs, among others.
func missing(said []byte) map[string]bool {
	ids := map[string]bool{}
	for _, id := range longID.FindAll(said, -1) {
		ids[string(id)] = true
	}
	return ids
}

// find returns the packs in the trash that contain blobs with these IDs. If a directory is
// missing, restic does not name what is below it: then find returns all packs of
// directories, which are small.
func (h *healer) find(ctx context.Context, ids map[string]bool) ([]string, error) {
	if err := h.readTrash(ctx); err != nil {
		return nil, err
	}
	for {
		packs := map[string]bool{}
		found, trees := 0, false
		for id := range ids {
			if at, known := h.blobs[id]; known {
				found++
				trees = trees || at.tree
				packs[at.pack] = true
			}
		}
		if len(h.indexes) > 0 && found < len(ids) {
			// Not all IDs are those of blobs, so all indexes may have to be read.
			if err := h.readIndex(ctx); err != nil {
				return nil, err
			}
			continue
		}
		for _, at := range h.blobs {
			if trees && at.tree {
				packs[at.pack] = true
			}
		}
		maps.DeleteFunc(packs, func(pack string, _ bool) bool { return !h.kept[pack] })
		return slices.Sorted(maps.Keys(packs)), nil
	}
}

// readTrash asks which packs and indexes are in the trash.
func (h *healer) readTrash(ctx context.Context) error {
	first := h.kept == nil
	objects, err := gatewayadmin.TrashList(ctx, h.sys, adminapi.TrashRequest{
		Destination: h.req.Destination, Repository: h.req.Repository, Kinds: []string{"data", "index"},
	})
	if err != nil {
		return err
	}
	h.kept = map[string]bool{}
	for _, o := range slices.Backward(objects) {
		switch {
		case o.Kind == "data":
			h.kept[o.Name] = true
		case first:
			h.indexes = append(h.indexes, o)
		}
	}
	return nil
}

// readIndex lets restic read the next index in the trash, from the state of the repository
// before its deletion.
func (h *healer) readIndex(ctx context.Context) error {
	index := h.indexes[0]
	h.indexes = h.indexes[1:]
	at := index.Deleted.Truncate(time.Second).Add(-time.Second)
	if !index.Received.IsZero() && at.Before(index.Received.Truncate(time.Second)) {
		at = index.Deleted // added and deleted within a second: no view has it
	}
	repository, err := run.At(ctx, h.sys, h.command.Repository, at)
	if err != nil {
		h.sys.Warnf("index %.8s cannot be read: %v", index.Name, err)
		return nil
	}
	past := h.command.With("cat", "--no-lock", "index", index.Name)
	past.Repository = repository
	var out bytes.Buffer
	if err := past.Run(ctx, restic.Streams{Stdout: &out}); err != nil {
		if ctx.Err() != nil {
			return err
		}
		h.sys.Warnf("index %.8s cannot be read: %v", index.Name, err)
		return nil
	}
	var content struct {
		Packs []struct {
			ID    string
			Blobs []struct{ ID, Type string }
		}
	}
	if err := json.Unmarshal(out.Bytes(), &content); err != nil {
		h.sys.Warnf("index %.8s cannot be read: %v", index.Name, err)
		return nil
	}
	for _, pack := range content.Packs {
		if !h.kept[pack.ID] {
			continue
		}
		for _, blob := range pack.Blobs {
			h.blobs[blob.ID] = packOfBlob{pack.ID, blob.Type == "tree"}
		}
	}
	return nil
}

// repairIndexVersion is the first restic with "repair index".
var repairIndexVersion = restic.Version{0, 16, 0}

// bringBack restores packs, and repairs the index.
func (h *healer) bringBack(ctx context.Context, packs []string) error {
	done, err := gatewayadmin.TrashRestore(ctx, h.sys, adminapi.TrashRequest{
		Destination: h.req.Destination, Repository: h.req.Repository, Kinds: []string{"data"}, Names: packs,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(h.sys.Stdout, "brought back: %d packs, %s\n", done.Objects, host.FormatBytes(uint64(max(0, done.Bytes))))
	repair := h.command.With("repair", "index")
	if !h.command.Version.Has(repairIndexVersion) {
		repair = h.command.With("rebuild-index")
	}
	if err := repair.Run(ctx, restic.Streams{Stdout: h.sys.Stderr, Stderr: h.sys.Stderr}); err != nil {
		return run.ResticError(h.command.Repository, err)
	}
	return nil
}
