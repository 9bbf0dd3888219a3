// Package poll reads devices on a fixed schedule and passes what they say on as samples.
//
// Each device has its own goroutine, so that a device that is slow or dead delays no other. Reads are due at whole periods after the start,
// in groups spread evenly over the period; a read that took too long skips the reads that it missed instead of shifting the schedule. A device that fails
// again and again is asked less and less often, up to [Config.MaxBackoff], and is offline until a read succeeds. A driver that delivers changes
// by itself (drivers.Subscriber) is subscribed to, and read every [Config.Refresh] beside.
//
// A device that is said to be watched (district.Device.Frozen) and answers with exactly the same measurements for so long is frozen: it counts
// as offline and its readings are bad until one of them moves, so that what they were ages.
//
// With [Config.Gather] no read waits for the sink: a disk that hangs for seconds costs no reading. Without it, each device waits for its own samples.
//
// Readings of quality bad are no samples: they count in [Status.Bad]. Keeping samples is the sink's affair, also while a disk fails: those that it
// refuses are lost, and counted in [Status.Dropped].
package poll
