#!/usr/bin/perl
# Makes a file that holds what one moment of a volume held hold what a later one does.
#
#     perl catch-up.pl BEFORE LATER TARGET BYTES_PER_SECOND
#
# BEFORE and LATER are files that share blocks: a reflink of a volume, and a later one, or the volume itself while nobody writes to it.
# TARGET holds what BEFORE holds; BYTES_PER_SECOND is how much may be written, or 0. It is durable in the end, and what is printed is
# how many bytes were copied.
#
# What is in the same place on the disk in both is the same: BEFORE keeps the blocks that it has, so whatever was written to LATER
# since then has others. Where the kernel does not say the place, or that it is the place of something else than these very bytes, the
# piece is copied. Places that were allocated and never written are holes. Nothing but perl-base is needed.
use strict;
use warnings;
use IO::Handle;
use Time::HiRes qw(time sleep);

my ($before_path, $later_path, $target_path, $rate) = @ARGV;

# ioctl_fiemap(2)
my $FIEMAP = 0xC020660B;
my $FLAG_SYNC = 1;
my ($LAST, $UNWRITTEN) = (0x1, 0x800);
# Unknown, delayed, encoded (compressed), encrypted, not aligned, inline, tail.
my $NOWHERE = 0x2 | 0x4 | 0x8 | 0x80 | 0x100 | 0x200 | 0x400;
my ($HEAD, $EXTENT, $AT_ONCE) = ('Q2 L4', 56, 1024);

my ($SYS_FALLOCATE) = qx(uname -m) =~ /x86_64/ ? 285 : 47;
my $PUNCH_HOLE_KEEP_SIZE = 3;
my $PIECE = 1024 * 1024;

my ($before, $later) = map { open my $file, '<:raw', $_ or die "$_: $!\n"; $file } $before_path, $later_path;
open my $target, '+<:raw', $target_path or die "$target_path: $!\n";
my $size = -s $later;
my ($begun, $copied) = (time, 0);

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
            push @found, [$from, $at, $flags & $NOWHERE ? undef : $place] unless $flags & $UNWRITTEN;
            return \@found if $flags & $LAST;
        }
    }
}

sub is_same {
    my ($was, $is, $at) = @_;
    return defined $was->[2] && defined $is->[2] && $was->[2] + $at - $was->[0] == $is->[2] + $at - $is->[0];
}

sub copy {
    my ($from, $to) = @_;
    sysseek $later, $from, 0 and sysseek $target, $from, 0 or die "seek: $!\n";
    while ($from < $to) {
        my $wanted = $to - $from < $PIECE ? $to - $from : $PIECE;
        my $bytes = '';
        my $read = sysread $later, $bytes, $wanted;
        die "$later_path: " . ($! || 'too short') . "\n" unless $read;
        for (my $done = 0; $done < $read;) {
            $done += syswrite($target, $bytes, $read - $done, $done) // die "$target_path: $!\n";
        }
        $from += $read;
        $copied += $read;
        my $early = $rate > 0 ? $begun + $copied / $rate - time : 0;
        sleep $early if $early > 0;
    }
}

sub punch {
    my ($from, $to) = @_;
    syscall($SYS_FALLOCATE, fileno $target, $PUNCH_HOLE_KEEP_SIZE, $from, $to - $from) == 0 or die "$target_path: $!\n";
}

my ($was, $is) = (extents($before), extents($later));
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
    if ($now) { copy($at, $until) unless $then && is_same($then, $now, $at) }
    elsif ($then) { punch($at, $until) }
    $at = $until;
}
$target->sync or die "$target_path: $!\n";
print "$copied\n";
