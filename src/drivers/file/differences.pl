#!/usr/bin/perl
# Where a file holds something else than an earlier one did with which it shares blocks, told without reading either.
#
#     perl differences.pl BEFORE LATER
#
# prints which MiB of LATER differ: FIRST COUNT, in order; or "unknown" where the places of blocks do not tell, since they are compressed.
# Other programs of perl take `differences` from here.
#
# What is in the same place on the disk in both is the same: BEFORE is there and nobody writes to it, so it keeps the blocks that it has, and
# whatever was written to LATER since then has others. (Of a file that was deleted the places mean nothing: a later write gets the
# same.) Where the kernel does not say the place, or that it is the place of something else than these very bytes, the two are taken to differ.
# Places that were allocated and never written are holes. Nothing but perl-base is needed.
use strict;
use warnings;

# ioctl_fiemap(2)
my $FIEMAP = 0xC020660B;
my $FLAG_SYNC = 1;
my ($LAST, $ENCODED, $UNWRITTEN) = (0x1, 0x8, 0x800);
# Unknown, delayed, encoded (compressed), encrypted, not aligned, inline, tail.
my $NOWHERE = 0x2 | 0x4 | $ENCODED | 0x80 | 0x100 | 0x200 | 0x400;
my ($HEAD, $EXTENT, $AT_ONCE) = ('Q2 L4', 56, 1024);
my $MIB = 1024 * 1024;

# Whether something was compressed of what was looked at.
our $saw_encoded = 0;

# What has data, in order: [from, to, place], without a place where there is none to be compared.
sub extents {
    my ($file) = @_;
    my @found;
    for (my $at = 0; ;) {
        my $map = pack($HEAD, $at, ~0 - $at, $FLAG_SYNC, 0, $AT_ONCE, 0) . "\0" x ($EXTENT * $AT_ONCE);
        defined ioctl $file, $FIEMAP, $map or die "fiemap: $!\n";
        my $mapped = (unpack $HEAD, $map)[3];
        return \@found if $mapped == 0;
        for my $each (0 .. $mapped - 1) {
            my ($from, $place, $length, undef, undef, $flags) = unpack 'Q5 L', substr $map, 32 + $EXTENT * $each, $EXTENT;
            $at = $from + $length;
            $saw_encoded = 1 if $flags & $ENCODED;
            push @found, [$from, $at, $flags & $NOWHERE ? undef : $place] unless $flags & $UNWRITTEN;
            return \@found if $flags & $LAST;
        }
    }
}

sub is_same {
    my ($was, $is, $at) = @_;
    return defined $was->[2] && defined $is->[2] && $was->[2] + $at - $was->[0] == $is->[2] + $at - $is->[0];
}

# In order: [from, to, whether LATER has data there]. Two open files.
sub differences {
    my ($before, $later) = @_;
    my $size = -s $later;
    my ($was, $is) = (extents($before), extents($later));
    my @found;
    for (my ($at, $i, $j) = (0, 0, 0); $at < $size;) {
        $i++ while $i < @$was && $was->[$i][1] <= $at;
        $j++ while $j < @$is && $is->[$j][1] <= $at;
        # Until where both go on as they are here.
        my $until = $size;
        for my $next (grep { defined } $was->[$i], $is->[$j]) {
            my $edge = $next->[0] > $at ? $next->[0] : $next->[1];
            $until = $edge if $edge < $until;
        }
        my ($then, $now) = map { defined && $_->[0] <= $at ? $_ : undef } $was->[$i], $is->[$j];
        if ($now) { push @found, [$at, $until, 1] unless $then && is_same($then, $now, $at) }
        elsif ($then) { push @found, [$at, $until, 0] }
        $at = $until;
    }
    return @found;
}

sub main {
    my ($before, $later) = map { open my $file, '<:raw', $_ or die "$_: $!\n"; $file } @_;
    my ($first, $end) = (0, 0);
    my @ranges;
    for my $each (differences($before, $later)) {
        my ($from, $to) = (int($each->[0] / $MIB), int(($each->[1] + $MIB - 1) / $MIB));
        if ($from > $end) {
            push @ranges, [$first, $end] if $end > $first;
            $first = $from;
        }
        $end = $to if $to > $end;
    }
    push @ranges, [$first, $end] if $end > $first;
    return print "unknown\n" if $saw_encoded;
    print $_->[0], ' ', $_->[1] - $_->[0], "\n" for @ranges;
}

main(@ARGV) unless caller;
1;
