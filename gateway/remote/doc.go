// Package remote keeps a destination on any rclone remote: the Store over what
// gateway/remote/backend opened. What rclone has no way to ask S3 for is in
// gateway/remote/s3api, how directories are listed in gateway/remote/lister.
//
// Backends differ in what a PUT promises; gateway/remote/publish decides for each how an
// object becomes visible all or nothing. A bucket on S3 takes one request for each of GET,
// HEAD, PUT and DELETE; backend/tuning.go says how.
package remote
