package run

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// Receipt is what the gateway knows about a snapshot.
type Receipt struct {
	At     time.Time // zero if the storage does not know
	ByNode bool      // saved by a node
}

// The headers of an answer that make up a receipt.
const (
	headerReceived = "Last-Modified"
	headerNow      = "Date"
	headerSavedBy  = "X-Rclone-Gateway-Saved-By"
)

// receiptsAtOnce bounds concurrent requests.
const receiptsAtOnce = 8

// Receipts asks the gateway when it received snapshots, by complete ID. Snapshots removed
// meanwhile are left out.
func (p Probe) Receipts(ctx context.Context, repository restic.Repository, ids []string) (map[string]Receipt, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	receipts := make(map[string]Receipt, len(ids))
	queue := make(chan string)
	var workers sync.WaitGroup
	for range receiptsAtOnce {
		workers.Go(func() {
			for id := range queue {
				receipt, there, err := p.receipt(ctx, repository, id)
				if err != nil {
					cancel(err)
					continue
				}
				if there {
					mu.Lock()
					receipts[id] = receipt
					mu.Unlock()
				}
			}
		})
	}
	for _, id := range ids {
		queue <- id
	}
	close(queue)
	workers.Wait()
	return receipts, context.Cause(ctx)
}

func (p Probe) receipt(ctx context.Context, repository restic.Repository, id string) (r Receipt, there bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, repository.URL+"/snapshots/"+id, nil)
	if err != nil {
		return r, false, err
	}
	request.SetBasicAuth(repository.User, repository.Password)
	request.Header.Set("Accept", "application/vnd.x.restic.rest.v2")
	response, err := p.client.Do(request)
	if err != nil {
		return r, false, exit.Failf(exit.Unreachable, "the gateway of repository %s cannot be asked for receipts: %w", repository, err)
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return r, false, nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return r, false, exit.Failf(exit.Forbidden, "the gateway refuses user %s at %s", repository.User, repository)
	default:
		return r, false, exit.Failf(exit.Unreachable, "repository %s: the gateway answers %d to the question when snapshot %s was received", repository, response.StatusCode, restic.ShortID(id))
	}
	if text := response.Header.Get(headerReceived); text != "" {
		if r.At, err = http.ParseTime(text); err != nil {
			return r, false, fmt.Errorf("when snapshot %s was received: %w", restic.ShortID(id), err)
		}
	}
	r.ByNode = response.Header.Get(headerSavedBy) != ""
	return r, true, nil
}
