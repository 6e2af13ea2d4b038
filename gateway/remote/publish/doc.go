// Package publish stores objects on an rclone backend so that each becomes visible all or
// nothing, in the way that suits the backend, and removes what uploads left that were cut
// off. It neither reads objects for anybody nor lists them.
//
// Of an object that is named by its hash and uploaded again nobody renews the time: what
// a repository was at a time is known by those times. How that is seen to depends on how
// an object becomes visible:
//
//   - by a move: what is there is looked at before it (mover);
//   - by a PUT to S3 whose storage keeps to If-None-Match: it refuses an object that
//     is there, in the one request that there is (conditional);
//   - by any other PUT: what is there is looked at first (looking).
//
// Locks have no time that matters, and come and go with every command: they are not
// looked for.
package publish
