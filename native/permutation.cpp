// Random permutations of the numbers below a period: the number at time t is the rank of the
// uniform number of step t among those of one period, the earlier of equals first. So a stream is 1
// at the `ones` steps with the least numbers. These are selected by binary digits, the most
// significant first, of 64 numbers at once: each digit halves the candidates for the last place, so
// that no more than some log2(period) + 3 digits are made. Lanes are streams where the period is
// short, else words of one period.
#include <algorithm>
#include <bit>

#include "kernels.hpp"
#include "philox.hpp"
#include "repeat.hpp"
#include "stretch.hpp"

namespace sc::SC_LEVEL {
namespace {

constexpr uint64_t kAll = ~uint64_t{0};

class Selection {
 public:
  Selection(uint64_t key, uint64_t period, bool lanes_are_words, uint64_t* scratch)
      : key_(key), period_(period), lanes_are_words_(lanes_are_words) {
    const size_t words = words_for(period);
    vectors_ = lanes_are_words ? (words + kLanes - 1) / kLanes : words;
    chosen_ = scratch;
    candidates_ = chosen_ + vectors_ * kLanes;
    slices_ = candidates_ + vectors_ * kLanes;
  }

  // Selects `ones` steps of a period a lane, or of the one period that is in all lanes.
  void select(U stream, U ones) {
    start(ones);
    for (int m = 0; m < 16 && undecided(); m += kPairs) {
      make_slices(stream, m);
      for (size_t k = 0; k < kDigits && undecided(); k++) take_digit(slices_ + k * kLanes);
    }
    if (undecided()) return keep_earliest();
    for (size_t v = 0; v < vectors_; v++)
      store(chosen(v), load(chosen(v)) | select_lanes(load(candidates(v))));
  }

  // Word w of the steps that are ones in a lane.
  uint64_t word(size_t w, size_t lane) const { return chosen_[w * kLanes + lane]; }
  const uint64_t* words() const { return chosen_; }

 private:
  static constexpr int kPairs = 4;
  static constexpr size_t kDigits = 2 * kPairs;

  uint64_t* chosen(size_t v) const { return chosen_ + v * kLanes; }
  uint64_t* candidates(size_t v) const { return candidates_ + v * kLanes; }

  bool undecided() const { return any_both(left_, left_ ^ n_candidates_); }
  U select_lanes(U bits) const { return sc::SC_LEVEL::select(nonzero(left_), bits, set1(0)); }

  void start(U ones) {
    left_ = ones;
    n_candidates_ = set1(period_);
    for (size_t v = 0; v < vectors_; v++) {
      store(chosen(v), set1(0));
      store(candidates(v), set1(kAll));
    }
    const size_t words = words_for(period_), lanes = lanes_are_words_ ? 1 : kLanes;
    for (size_t i = 0; i < lanes; i++)
      candidates_[(words - 1) * lanes + i] = last_word_mask(period_);
    std::fill(candidates_ + words * lanes, candidates_ + vectors_ * kLanes, uint64_t{0});
  }

  // The digits of kPairs slice pairs from pair m on, where there are candidates.
  void make_slices(U stream, int m) {
    for (size_t v = 0; v < vectors_; v++) {
      const U left = load(candidates(v));
      if (!any_both(left, left)) continue;
      U c0[kPairs], c1[kPairs], c2[kPairs], c3[kPairs];
      for (int i = 0; i < kPairs; i++) {
        c0[i] = lanes_are_words_ ? set1(v * kLanes) + iota() : set1(v);
        c1[i] = set1(uint64_t(m + i));
        c2[i] = stream;
        c3[i] = stream >> 32;
      }
      philox<kPairs>(key_, c0, c1, c2, c3);
      uint64_t* out = slices_ + v * kDigits * kLanes;
      for (int i = 0; i < kPairs; i++) {
        store(out + 2 * i * kLanes, join32(c0[i], c1[i]));
        store(out + (2 * i + 1) * kLanes, join32(c2[i], c3[i]));
      }
    }
  }

  // If no more candidates than places are left have digit 0, all of them are chosen and the others
  // are candidates on; else these are no candidates any more.
  void take_digit(const uint64_t* slice) {
    U zeros = set1(0);
    for (size_t v = 0; v < vectors_; v++)
      zeros = zeros + popcount(and_not(load(candidates(v)), load(slice + v * kDigits * kLanes)));
    if (lanes_are_words_) zeros = total(zeros);
    const U more = sign_mask(left_ - zeros);
    for (size_t v = 0; v < vectors_; v++) {
      const U r = load(slice + v * kDigits * kLanes), c = load(candidates(v));
      store(chosen(v), or_and_not(load(chosen(v)), c, r | more));
      store(candidates(v), c & (r ^ more));
    }
    left_ = left_ - and_not(zeros, more);
    n_candidates_ = sc::SC_LEVEL::select(nonzero(more), zeros, n_candidates_ - zeros);
  }

  static U total(U lanes) {
    uint64_t each[kLanes], sum = 0;
    store(each, lanes);
    for (const uint64_t n : each) sum += n;
    return set1(sum);
  }

  // Of candidates that are equal in all 32 digits the earliest are chosen.
  void keep_earliest() {
    uint64_t left[kLanes];
    store(left, left_);
    for (size_t w = 0; w < vectors_ * kLanes; w++) {
      uint64_t& places = left[lanes_are_words_ ? 0 : w % kLanes];
      for (uint64_t c = candidates_[w]; c != 0 && places != 0; c &= c - 1, places--)
        chosen_[w] |= c & -c;
    }
  }

  const PhiloxKey key_;
  const uint64_t period_;
  const bool lanes_are_words_;
  size_t vectors_;
  uint64_t *chosen_, *candidates_,
      *slices_;            // [vectors][kLanes], slices [vectors][kDigits][kLanes]
  U left_, n_candidates_;  // places that are not taken, candidates for them
};

// Writes words of a stream, from a word on, that repeats a closed pattern.
void repeat(const uint64_t* pattern, uint64_t period, uint64_t word, size_t count, uint64_t* out) {
  uint64_t at = word % period * 64 % period;
  const uint64_t stride = 64 % period;
  for (size_t w = 0; w < count; w++) {
    out[w] = read_pattern(pattern, at);
    at += stride;
    if (at >= period) at -= period;
  }
}

}  // namespace

void permutation(const Permutation& e, const Part& part) {
  const size_t words = words_for(e.period), stream_words = words_for(e.to.length);
  uint64_t* pattern = part.scratch;
  uint64_t* scratch = pattern + pattern_words(e.period);
  Selection one(e.key, e.period, true, scratch), many(e.key, e.period, false, scratch);
  const bool is_short = words <= kShortPeriod / 64;
  for_each_group(
      e.to, part, kLanes, is_short ? stream_words : 0,
      [&](size_t s) {
        many.select(load(e.streams + s), load(e.to.thresholds + s));
        for (size_t i = 0; i < kLanes; i++) {
          for (size_t w = 0; w < words; w++) pattern[w] = many.word(w, i);
          close_pattern(pattern, e.period);
          uint64_t* out = e.to.out + (s + i) * stream_words;
          repeat(pattern, e.period, e.to.first_word, stream_words, out);
          out[stream_words - 1] &= last_word_mask(e.to.length);
        }
      },
      [&](size_t s, uint64_t word, size_t count, uint64_t* out) {
        one.select(set1(e.streams[s]), set1(e.to.thresholds[s]));
        std::copy_n(one.words(), words, pattern);
        close_pattern(pattern, e.period);
        repeat(pattern, e.period, word, count, out);
      });
}

}  // namespace sc::SC_LEVEL
