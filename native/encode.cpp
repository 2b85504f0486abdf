// Bernoulli streams, and the generator on its own for its tests.
#include <algorithm>

#include "counter.hpp"
#include "kernels.hpp"
#include "philox.hpp"

namespace sc::SC_LEVEL {

void philox(const Philox& p, const Part& part) {
  const PhiloxKey k(p.key);
  constexpr size_t kSets = 4, kBlock = kSets * kLanes;  // sets of lanes side by side
  for (size_t first = part.first; first < part.last; first += kBlock) {
    uint64_t lanes[4][kBlock] = {};
    const size_t here = std::min<size_t>(part.last - first, kBlock);
    for (size_t i = 0; i < here; i++)
      for (size_t c = 0; c < 4; c++) lanes[c][i] = p.counters[4 * (first + i) + c];
    U words[4][kSets];
    for (size_t c = 0; c < 4; c++)
      for (size_t set = 0; set < kSets; set++) words[c][set] = load(lanes[c] + set * kLanes);
    philox<int(kSets)>(k, words[0], words[1], words[2], words[3]);
    for (size_t c = 0; c < 4; c++)
      for (size_t set = 0; set < kSets; set++) store(lanes[c] + set * kLanes, words[c][set]);
    for (size_t i = 0; i < here; i++)
      for (size_t c = 0; c < 4; c++) p.out[4 * (first + i) + c] = uint32_t(lanes[c][i]);
  }
}

void draw(const Draw& d, const Part& part) {
  const PhiloxKey k(d.key);
  constexpr size_t kSets = 4;  // of lanes side by side, which hides the latency
  const U all = set1(d.below[0]);
  for (size_t first = part.first; first < part.last; first += kSets * kLanes) {
    U words[4][kSets];
    const auto left = [&](size_t set) {
      const size_t at = first + set * kLanes;
      return at < part.last ? part.last - at : 0;
    };
    for (size_t set = 0; set < kSets; set++) {
      const U stream = load_some(d.streams + first + set * kLanes, left(set));
      words[0][set] = set1(0);
      words[1][set] = set1(d.domain);
      words[2][set] = stream;
      words[3][set] = stream >> 32;
    }
    philox<int(kSets)>(k, words[0], words[1], words[2], words[3]);
    for (size_t set = 0; set < kSets; set++) {
      const size_t at = first + set * kLanes;
      const U x = words[0][set];
      const U below = d.n_below == 1 ? all : load_some(d.below + at, left(set));
      // All of a number below 2**32, where `below` is that and its low half is 0.
      const U whole = (x << 32) & sign_mask(below << 31);
      store_some(d.out + at, (mul32(x, below) + whole) >> 32, left(set));
    }
  }
}

namespace {

// The numbers of kLanes words, digit by digit as they are asked for: many thresholds are compared
// with the same numbers.
class Numbers {
 public:
  Numbers(const PhiloxKey& key, U word, U stream) : blocks_(key, word, stream, stream >> 32) {
    while (made_ < kFirst) make();
  }

  // Of R thresholds side by side, which hides the latency of a comparator.
  template <size_t R>
  void below(const U (&thresholds)[R], U (&bits)[R]) {
    Comparator comparators[R];
#pragma GCC unroll 4
    for (size_t r = 0; r < R; r++) comparators[r] = Comparator(thresholds[r]);
#pragma GCC unroll 12
    for (int k = 0; k < kFirst; k++)
#pragma GCC unroll 4
      for (size_t r = 0; r < R; r++) comparators[r].step(slices_[k]);
#pragma GCC unroll 4
    for (size_t r = 0; r < R; r++) bits[r] = finish(comparators[r]);
  }

 private:
  U finish(Comparator comparator) {
    for (int k = kFirst; k < 32 && comparator.undecided(); k += 4) {
      if (k == made_) make();
#pragma GCC unroll 4
      for (int i = k; i < k + 4; i++) comparator.step(slices_[i]);
    }
    return comparator.less();
  }
  void make() {
    U pairs[2][2];
    blocks_.slices(made_ / 2, pairs);
    for (const auto& pair : pairs)
      for (const U slice : pair) slices_[made_++] = slice;
  }

  // Decide all bits of seven vectors out of eight.
  static constexpr int kFirst = 12;

  Blocks<U, U, U> blocks_;
  int made_ = 0;
  U slices_[32];
};

// Words of neighboring streams, and which lanes hold which.
struct Lanes {
  uint64_t word[kLanes] = {};
  uint64_t stream[kLanes] = {};
};

// Rows that are compared side by side: as many as the registers hold comparators of.
constexpr size_t kSide = kLanes / 2 > 0 ? kLanes / 2 : 1;

void encode_rows(const Encode& e, const PhiloxKey& key, size_t first, size_t last) {
  const size_t words = words_for(e.to.length);
  for (size_t f = first; f < last; f += kLanes) {
    const size_t here = std::min<size_t>(kLanes, last - f);
    Lanes at;
    uint64_t number[kLanes] = {}, mask[kLanes] = {};
    for (size_t i = 0; i < here; i++) {
      at.stream[i] = (f + i) / words;
      at.word[i] = e.to.first_word + (f + i) % words;
      number[i] = e.streams[at.stream[i]];
      mask[i] = (f + i) % words + 1 == words ? last_word_mask(e.to.length) : ~uint64_t{0};
    }
    Numbers numbers(key, load(at.word), load(number));
    const U keep = load(mask);
    const bool one_stream = at.stream[0] == at.stream[here - 1];
    const auto compare = [&]<size_t R>(size_t row) {
      U thresholds[R], bits[R];
      for (size_t r = 0; r < R; r++) {
        const uint64_t* of_row = e.to.thresholds + (row + r) * e.to.n;
        uint64_t lane[kLanes] = {};
        if (!one_stream)
          for (size_t i = 0; i < here; i++) lane[i] = of_row[at.stream[i]];
        thresholds[r] = one_stream ? set1(of_row[at.stream[0]]) : load(lane);
      }
      numbers.below(thresholds, bits);
      for (size_t r = 0; r < R; r++) {
        uint64_t* out = e.to.out + (row + r) * e.to.n * words + f;
        store_some(out, bits[r] & keep, here);
      }
    };
    size_t row = 0;
    for (; row + kSide <= e.n_rows; row += kSide) compare.template operator()<kSide>(row);
    for (; row < e.n_rows; row++) compare.template operator()<1>(row);
  }
}

// Streams of so few words that lanes belong to several streams. Bits of thresholds 0 and 2**32 take
// no numbers: images have many zeros.
void encode_short_streams(const Encode& e, const PhiloxKey& key, size_t first, size_t last) {
  const size_t words = words_for(e.to.length);
  const uint64_t last_mask = last_word_mask(e.to.length);
  Lanes at;
  uint64_t threshold[kLanes] = {}, needed[kLanes] = {}, bits[kLanes];
  uint64_t* out[kLanes];
  size_t n = 0;
  const auto flush = [&] {
    for (size_t i = 0; i < n; i++) at.stream[i] = e.stream(at.stream[i]);
    const U number = load(at.stream);
    U made;
    if (words == 1)
      made = bernoulli_bits<4>(key, S{e.to.first_word}, number, number >> 32, load(threshold),
                               load(needed));
    else
      made = bernoulli_bits<kFirstPairs>(key, load(at.word), number, number >> 32, load(threshold),
                                         load(needed));
    store(bits, made);
    for (size_t i = 0; i < n; i++) *out[i] = bits[i];
    n = 0;
  };
  size_t stream = first / words, word = first % words;
  for (size_t f = first; f < last; f++) {
    // A lane is taken only if it needs numbers, without a branch that cannot be predicted.
    const uint64_t of_stream = e.threshold(stream);
    e.to.out[f] = of_stream == 0 ? 0 : ~uint64_t{0};
    at.word[n] = e.to.first_word + word;
    at.stream[n] = stream;
    threshold[n] = of_stream;
    needed[n] = word + 1 == words ? last_mask : ~uint64_t{0};
    out[n] = e.to.out + f;
    n += of_stream - 1 < (uint64_t{1} << 32) - 1;
    if (n == kLanes) flush();
    if (++word == words) {
      word = 0;
      stream++;
    }
  }
  std::fill(threshold + n, threshold + kLanes, 0);
  if (n != 0) flush();
}

void encode_streams(const Encode& e, const PhiloxKey& key, size_t first, size_t last) {
  const size_t words = words_for(e.to.length);
  if (words < kLanes) return encode_short_streams(e, key, first, last);
  size_t stream = first / words, word = first % words;
  for (size_t f = first; f < last; f += kLanes) {
    const size_t here = last - f < kLanes ? last - f : kLanes;
    U bits;
    if (word + kLanes <= words) {
      const uint64_t number = e.stream(stream);
      bits = bernoulli_word(key, set1(e.to.first_word + word) + iota(), S{number}, S{number >> 32},
                            set1(e.threshold(stream)));
      word += kLanes;
      if (word == words) {
        word = 0;
        stream++;
      }
    } else {  // the lanes belong to several streams
      Lanes at;
      uint64_t threshold[kLanes] = {};
      for (size_t i = 0; i < here; i++) {
        at.word[i] = e.to.first_word + word;
        at.stream[i] = e.stream(stream);
        threshold[i] = e.threshold(stream);
        if (++word == words) {
          word = 0;
          stream++;
        }
      }
      const U number = load(at.stream);
      bits = bernoulli_word(key, load(at.word), number, number >> 32, load(threshold));
    }
    store_some(e.to.out + f, bits, here);
  }
}

}  // namespace

void encode(const Encode& e, const Part& part) {
  const PhiloxKey key(e.key);
  if (e.n_rows > 1) return encode_rows(e, key, part.first, part.last);
  encode_streams(e, key, part.first, part.last);
  const uint64_t last_mask = last_word_mask(e.to.length);
  if (last_mask == ~uint64_t{0}) return;
  const size_t words = words_for(e.to.length);
  for (size_t f = part.first / words * words + words - 1; f < part.last; f += words)
    e.to.out[f] &= last_mask;
}

namespace {

// The numbers of a word of each lane, from their 32 binary digits: that of time t is in number
// t % 32, in the half t / 32.
template <class Word, class Stream>
inline void uniform_words(const PhiloxKey& key, Word word, Stream stream,
                          uint64_t (*numbers)[kLanes]) {
  const Blocks<Word, Stream, Stream> blocks(key, word, stream, stream >> 32);
  U digits[32];  // the least significant first
  for (int m = 0; m < 16; m += 4) {
    U made[4][2];
    blocks.slices(m, made);
    for (int i = 0; i < 4; i++)
      for (int k = 0; k < 2; k++) digits[31 - 2 * (m + i) - k] = made[i][k];
  }
  transpose_planes<32>(digits);
  for (int t = 0; t < 32; t++) store(numbers[t], digits[t]);
}

}  // namespace

void uniform(const Uniform& u, const Part& part) {
  const PhiloxKey key(u.key);
  const uint64_t begin = u.first + 64 * part.first_word;
  const uint64_t end = u.first + std::min<uint64_t>(64 * part.last_word, u.length);
  const size_t first_word = begin / 64, words = words_for(end) - first_word;
  uint64_t numbers[32][kLanes];
  // The numbers of one word of a stream, which are in a lane.
  const auto put = [&](size_t lane, size_t s, size_t w) {
    const uint64_t at = 64 * (first_word + w), to = std::min<uint64_t>(at + 64, end);
    uint32_t* out = u.out + s * u.length;
    for (uint64_t t = std::max<uint64_t>(at, begin); t < to; t++)
      out[t - u.first] = uint32_t(numbers[t % 32][lane] >> (t % 64 < 32 ? 0 : 32));
  };
  if (words >= kLanes) {  // lanes are words
    for (size_t s = part.first; s < part.last; s++) {
      for (size_t w = 0; w < words; w += kLanes) {
        uniform_words(key, set1(first_word + w) + iota(), S{u.streams[s]}, numbers);
        for (size_t lane = 0; lane < kLanes && w + lane < words; lane++) put(lane, s, w + lane);
      }
    }
    return;
  }
  for (size_t w = 0; w < words; w++) {  // lanes are streams
    for (size_t s = part.first; s < part.last; s += kLanes) {
      const size_t here = std::min<size_t>(kLanes, part.last - s);
      uniform_words(key, S{first_word + w}, load_some(u.streams + s, here), numbers);
      for (size_t lane = 0; lane < here; lane++) put(lane, s + lane, w);
    }
  }
}

}  // namespace sc::SC_LEVEL
