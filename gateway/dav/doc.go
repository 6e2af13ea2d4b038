// Package dav serves WebDAV, class 1 of RFC 4918, from a [Store]. It knows
// neither Redis nor rclone nor restic nor who is calling: the caller has parsed
// the URL, judged the credentials and hands over a [Target].
//
// What a client can rely on:
//
//   - a listing is current: nothing is cached;
//   - an upload is seen complete or not at all;
//   - a listing or a file that breaks off never looks complete;
//   - conditions are judged while nobody else changes the same name;
//   - there are no locks, and none are pretended.
//
// A PROPFIND costs one listing of the store and constant memory, regardless of the number
// of entries. XML in request bodies is bounded in size and depth, without entities.
package dav
