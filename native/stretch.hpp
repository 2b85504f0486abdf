// A range of flat words cut into stretches of single streams, for every kernel that encodes.
#pragma once
#include <algorithm>

#include "kernels.hpp"

namespace sc {

// Calls fill(stream, word, count, out) for each stretch of [first, last): `count` words of a
// stream, from its absolute word on. Clears the bits past the length.
template <class Fill>
inline void for_each_stretch(const Streams& to, size_t first, size_t last, Fill&& fill) {
  const size_t words = words_for(to.length);
  for (size_t f = first; f < last;) {
    const size_t stream = f / words, word = f % words;
    const size_t count = std::min(words - word, last - f);
    fill(stream, to.first_word + word, count, to.out + f);
    f += count;
    if (word + count == words) to.out[f - 1] &= last_word_mask(to.length);
  }
}

// The same where lanes may be streams: of those with at most `short_words` words and all of them
// asked for, calls group(s) for `lanes` streams from s on, which has to clear those bits itself.
template <class Group, class Fill>
inline void for_each_group(const Streams& to, const Part& part, size_t lanes, size_t short_words,
                           Group&& group, Fill&& fill) {
  const size_t first = part.first, last = part.last;
  const size_t words = words_for(to.length);
  size_t s = (first + words - 1) / words;
  if (words > short_words || (s + lanes) * words > last)
    return for_each_stretch(to, first, last, fill);
  for_each_stretch(to, first, s * words, fill);
  for (; (s + lanes) * words <= last; s += lanes) group(s);
  for_each_stretch(to, s * words, last, fill);
}

}  // namespace sc
